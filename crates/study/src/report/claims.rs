//! The claims of several studies in one table.

use super::markdown::escape;
use crate::analysis::ClaimResult;

/// A Markdown table of claims: what is claimed and where, what was measured with n and interval, and
/// what became of the claim. `link`, where there is one, is the address of the report.
pub fn claims_table<'a>(
    results: impl IntoIterator<Item = (&'a ClaimResult, Option<&'a str>)>,
) -> String {
    let mut table = String::from("| Claim | Measured | Verdict |\n| --- | --- | --- |\n");
    for (result, link) in results {
        let claim = match result.source.as_str() {
            "" => escape(&result.claim),
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
