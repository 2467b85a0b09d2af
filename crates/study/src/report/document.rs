//! A report as a list of parts, from which the page and the text are made.

use crate::analysis::ClaimStatus;
use crate::definition::Statement;
use crate::figures::Figure;

/// A report.
pub(super) struct Document {
    pub title: String,
    pub blocks: Vec<Block>,
}

/// A part of a report.
pub(super) enum Block {
    /// A heading of a section.
    Heading(String),
    /// A heading within a section.
    Subheading(String),
    Paragraph(String),
    /// All that is to be seen at a glance.
    Verdict(Box<VerdictBlock>),
    List(Vec<String>),
    /// Terms and what they mean.
    Definitions(Vec<(String, String)>),
    Table(Table),
    /// Figures side by side, where there is room.
    Figures(Vec<Figure>),
    Code(String),
    /// What is folded away at first.
    Details {
        summary: String,
        blocks: Vec<Block>,
    },
}

/// What was claimed, what came of it, and the figure that shows it.
pub(super) struct VerdictBlock {
    /// None if the study only asks.
    pub claim: Option<Statement>,
    /// None if the study expects nothing.
    pub status: Option<ClaimStatus>,
    pub headline: String,
    pub evidence: Vec<String>,
    /// What a reader should know before believing anything.
    pub caveats: Vec<String>,
    pub figure: Option<Figure>,
}

/// A table whose first column names the rows.
pub(super) struct Table {
    pub caption: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Document {
    /// All figures, folded away or not.
    pub(super) fn figures(&self) -> Vec<&Figure> {
        fn collect<'a>(blocks: &'a [Block], figures: &mut Vec<&'a Figure>) {
            for block in blocks {
                match block {
                    Block::Figures(some) => figures.extend(some),
                    Block::Verdict(verdict) => figures.extend(&verdict.figure),
                    Block::Details { blocks, .. } => collect(blocks, figures),
                    _ => {}
                }
            }
        }
        let mut figures = Vec::new();
        collect(&self.blocks, &mut figures);
        figures
    }
}

/// The parts of a text in turn, and whether they stand between backticks, as commands and names of studies do. All of it
/// is text where a backtick has no partner.
pub(super) fn spans(text: &str) -> Vec<(&str, bool)> {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return vec![(text, false)];
    }
    let spans = parts.into_iter().enumerate();
    spans
        .map(|(index, part)| (part, index % 2 == 1))
        .filter(|(part, _)| !part.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stands_between_backticks() {
        let code = [("see ", false), ("a b", true), (".", false)];
        assert_eq!(spans("see `a b`."), code);
        assert_eq!(spans("`a`"), [("a", true)]);
        assert_eq!(spans("a ` b"), [("a ` b", false)]);
    }
}
