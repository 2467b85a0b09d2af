//! A report as one page that needs nothing else.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::FIGURES;
use super::document::{Block, Document, Table, VerdictBlock, spans};
use crate::analysis::ClaimStatus;
use crate::definition::Statement;
use crate::figures::{Figure, dark_rules};
use crate::format::{capital, file_name};

/// Tables with no more columns fit on a phone.
const NARROW: usize = 2;

const STYLE: &str = include_str!("style.css");

pub(super) fn page(document: &Document) -> String {
    let dark = format!(
        "@media (prefers-color-scheme:dark){{{}}}",
        dark_rules(".plot ")
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (document.title) }
                style { (PreEscaped(STYLE)) (PreEscaped(dark)) }
            }
            body {
                main {
                    h1 { (document.title) }
                    (blocks(&document.blocks))
                }
            }
        }
    };
    page.into_string()
}

fn blocks(blocks: &[Block]) -> Markup {
    html! { @for block in blocks { (self::block(block)) } }
}

fn block(block: &Block) -> Markup {
    match block {
        Block::Heading(text) => html! { h2 id=(file_name(text)) { (text) } },
        Block::Subheading(text) => html! { h3 { (text) } },
        Block::Paragraph(text) => html! { p { (prose(text)) } },
        Block::Verdict(verdict) => self::verdict(verdict),
        Block::List(items) => html! { ul { @for item in items { li { (prose(item)) } } } },
        Block::Definitions(terms) => html! {
            details {
                summary { "Terms" }
                dl { @for (term, meaning) in terms { dt { (term) } dd { (meaning) } } }
            }
        },
        Block::Table(table) => self::table(table),
        Block::Figures(figures) => html! {
            @if !figures.is_empty() {
                div.figures { @for figure in figures { (self::figure(figure)) } }
            }
        },
        Block::Code(text) => html! { pre tabindex="0" { code { (text) } } },
        Block::Details { summary, blocks } => html! {
            details.cell {
                summary { (summary) }
                (self::blocks(blocks))
            }
        },
    }
}

fn verdict(verdict: &VerdictBlock) -> Markup {
    let VerdictBlock {
        claim,
        status,
        headline,
        evidence,
        caveats,
        figure,
    } = verdict;
    html! {
        div.glance {
            div {
                section class=(format!("verdict {}", class(*status))) aria-label="Verdict" {
                    @if let Some(Statement { text, source }) = claim {
                        p.label { "Claim" }
                        blockquote { p { (text) } }
                        @if !source.is_empty() { p.from { (source) } }
                    }
                    @if let Some(status) = status { p.stamp { (capital(&status.to_string())) } }
                    p.headline { (together(headline)) }
                    @if !evidence.is_empty() {
                        ul { @for sentence in evidence { li { (prose(sentence)) } } }
                    }
                }
                @if !caveats.is_empty() {
                    aside.caveats {
                        h2 { "Caveats" }
                        ul { @for caveat in caveats { li { (prose(caveat)) } } }
                    }
                }
            }
            @if let Some(figure) = figure { (self::figure(figure)) }
        }
    }
}

/// Text in which what stands between backticks is code.
fn prose(text: &str) -> Markup {
    html! {
        @for (part, is_code) in spans(text) {
            @if is_code { code { (part) } } @else { (together(part)) }
        }
    }
}

/// Text whose numbers stay on one line with their signs and units.
fn together(text: &str) -> String {
    text.replace(" %", "\u{a0}%")
        .replace(" = ", "\u{a0}=\u{a0}")
}

fn class(status: Option<ClaimStatus>) -> &'static str {
    match status {
        Some(ClaimStatus::Supported) => "supported",
        Some(ClaimStatus::PartlySupported | ClaimStatus::PartlyContradicted) => "partly",
        Some(ClaimStatus::Contradicted) => "contradicted",
        Some(ClaimStatus::Undecided) | None => "open",
    }
}

fn table(table: &Table) -> Markup {
    html! {
        div.table.wide[table.head.len() > NARROW] role="region" tabindex="0" aria-label=(table.caption) {
            table {
                caption { (table.caption) }
                thead { tr { @for name in &table.head { th scope="col" { (name) } } } }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (index, cell) in row.iter().enumerate() {
                                @if index == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn figure(figure: &Figure) -> Markup {
    html! {
        figure.card {
            div.plot tabindex="0" { (PreEscaped(&figure.inline)) }
            figcaption {
                (figure.about) " "
                span.source {
                    a href=(format!("{FIGURES}/{}.svg", figure.name)) { "SVG" } " · "
                    a href=(format!("{FIGURES}/{}.png", figure.name)) { "PNG" }
                }
            }
        }
    }
}
