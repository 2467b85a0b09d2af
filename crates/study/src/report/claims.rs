//! The claims of several studies in one table.

use super::markdown::escape;
use crate::analysis::ClaimResult;

/// A Markdown table of claims: what is claimed, what was measured with n and intervals, and what became
/// of the claim. `link`, where there is one, is the address of the report. A source that several claims
/// share is named once, in the heading.
pub fn claims_table<'a>(
    results: impl IntoIterator<Item = (&'a ClaimResult, Option<&'a str>)>,
) -> String {
    let results: Vec<(&ClaimResult, Option<&str>)> = results.into_iter().collect();
    let shared = shared_source(results.iter().map(|(result, _)| result.source.as_str()));
    let heading = match shared {
        Some(source) => format!("Claim, of {} unless another is named", escape(source)),
        None => String::from("Claim"),
    };
    let mut table = format!("| {heading} | Measured | Verdict |\n| --- | --- | --- |\n");
    for (result, link) in results {
        let claim = match result.source.as_str() {
            source if source.is_empty() || shared == Some(source) => escape(&result.claim),
            source => format!("{} ({})", escape(&result.claim), escape(source)),
        };
        let verdict = match link {
            // A bracket would end the address.
            Some(link) => format!("[{}](<{}>)", result.status, link.replace(['<', '>'], "")),
            None => result.status.to_string(),
        };
        table += &format!("| {claim} | {} | {verdict} |\n", escape(&result.measured));
    }
    table
}

/// The source that most claims have, if more than one has it; of several such, the first.
fn shared_source<'a>(sources: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let sources: Vec<&str> = sources.filter(|source| !source.is_empty()).collect();
    let number = |source: &str| sources.iter().filter(|&&other| other == source).count();
    let most = sources.iter().map(|source| number(source)).max()?;
    sources
        .iter()
        .copied()
        .find(|source| most > 1 && number(source) == most)
}
