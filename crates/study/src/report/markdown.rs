//! A report as Markdown, with the figures beside it.

use super::FIGURES;
use super::document::{Block, Document, Table, VerdictBlock, spans};
use crate::definition::Statement;
use crate::figures::Figure;

pub(super) fn text(document: &Document) -> String {
    let mut parts = vec![format!("# {}", escape(&document.title))];
    parts.extend(document.blocks.iter().map(|block| self::block(block, 2)));
    parts.retain(|part| !part.is_empty());
    let mut text = parts.join("\n\n");
    text.push('\n');
    text
}

/// `level` is that of headings.
fn block(block: &Block, level: usize) -> String {
    let marks = "#".repeat(level);
    match block {
        Block::Heading(text) => format!("{marks} {}", escape(text)),
        Block::Subheading(text) => format!("{marks}# {}", escape(text)),
        Block::Paragraph(text) => prose(text),
        Block::Verdict(verdict) => self::verdict(verdict, marks.as_str()),
        Block::List(items) => list(items),
        Block::Definitions(terms) => {
            let terms: Vec<String> = terms
                .iter()
                .map(|(term, meaning)| format!("- **{}**: {}", escape(term), escape(meaning)))
                .collect();
            terms.join("\n")
        }
        Block::Table(table) => self::table(table),
        Block::Figures(figures) => {
            let figures: Vec<String> = figures.iter().map(self::figure).collect();
            figures.join("\n\n")
        }
        Block::Code(text) => {
            // Longer than any fence within.
            let fence = "`".repeat(3.max(longest_run(text, '`') + 1));
            format!("{fence}\n{}\n{fence}", text.trim_end())
        }
        Block::Details { summary, blocks } => {
            let mut parts = vec![format!("{marks}# {}", escape(summary))];
            parts.extend(blocks.iter().map(|inner| self::block(inner, level + 1)));
            parts.retain(|part| !part.is_empty());
            parts.join("\n\n")
        }
    }
}

/// `marks` are those of headings.
fn verdict(verdict: &VerdictBlock, marks: &str) -> String {
    let mut parts = Vec::new();
    if let Some(Statement { text, source }) = &verdict.claim {
        let source = match source.as_str() {
            "" => String::new(),
            source => format!("\n>\n> — {}", escape(source)),
        };
        parts.push(format!("> {}{source}", escape(text)));
    }
    parts.push(format!("**{}**", escape(&verdict.headline)));
    parts.push(list(&verdict.evidence));
    parts.extend(verdict.figure.as_ref().map(figure));
    if !verdict.caveats.is_empty() {
        let caveats = list(&verdict.caveats);
        parts.push(format!("{marks} Caveats\n\n{caveats}"));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn figure(figure: &Figure) -> String {
    format!(
        "![{}]({FIGURES}/{}.svg)\n\n{} {}.",
        escape(&figure.title),
        figure.name,
        escape(&figure.about),
        escape(&figure.count),
    )
}

fn list(items: &[String]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|item| format!("- {}", prose(item)))
        .collect();
    items.join("\n")
}

fn table(table: &Table) -> String {
    let row = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
        format!("| {} |", cells.join(" | "))
    };
    let rule = vec!["---"; table.head.len()];
    let mut lines = vec![
        escape(&table.caption),
        String::new(),
        row(&table.head),
        format!("| {} |", rule.join(" | ")),
    ];
    lines.extend(table.rows.iter().map(|cells| row(cells)));
    lines.join("\n")
}

fn longest_run(text: &str, sought: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == sought { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Text in which what stands between backticks is code.
fn prose(text: &str) -> String {
    let spans = spans(text).into_iter();
    let parts = spans.map(|(part, is_code)| match is_code {
        true => format!("`{}`", part.replace('\n', " ")),
        false => escape(part),
    });
    parts.collect()
}

/// Text that means nothing but itself.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => escaped.extend(['\\', c]),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\n' => escaped.push(' '),
            _ => escaped.push(c),
        }
    }
    escaped
}
