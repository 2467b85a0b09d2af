//! The page's part about activation functions: a table, and the images that only one of two reads.

use maud::{Markup, html};

use super::{Page, picture};
use crate::commands::errors::Item;
use crate::commands::errors::pairs::{Comparison, Function};

/// How many images each function reads that another does not, with links to them.
pub(super) fn table(comparison: &Comparison) -> Markup {
    html! {
        div.scroll {
            table.functions {
                caption { "Images that the row's function reads and the column's does not" }
                thead {
                    tr {
                        td {}
                        @for function in &comparison.functions { th scope="col" { (function.activation) } }
                        th scope="col" { "misread" }
                    }
                }
                tbody {
                    @for (one, function) in comparison.functions.iter().enumerate() {
                        tr {
                            th scope="row" { (function.title()) }
                            @for (other, count) in comparison.row(one).enumerate() {
                                td {
                                    @match count {
                                        None => "–",
                                        Some(0) => "0",
                                        Some(count) => a href=(format!("#{}", anchor(one, other))) { (count) },
                                    }
                                }
                            }
                            td { (function.misread) }
                        }
                    }
                    tr {
                        th scope="row" { "every function" }
                        @for _ in &comparison.functions { td {} }
                        td { (comparison.misread_by_all) }
                    }
                }
            }
        }
        p {
            "Networks with the same function read together: their probabilities are averaged. The \
             sections below begin with the images of whose wrong class the function that misreads \
             them is most sure; their p-values say how probable a split as uneven as the one found \
             is if the two are right equally often. They hold for these networks; how far other \
             seeds differ, several runs of each function tell."
            @if comparison.functions.len() > 2 {
                " They are not corrected for the number of pairs."
            }
        }
    }
}

/// For every two functions, the images that only one of them reads.
pub(super) fn sections(page: &Page<'_>) -> Markup {
    let comparison = page.comparison;
    html! {
        @for [one, other] in comparison.pairs() {
            @let [first, second] = [one, other].map(|place| &comparison.functions[place]);
            section {
                h2 { (first.activation) " and " (second.activation) }
                @if comparison.correct_only_by(one, other).is_empty() && comparison.correct_only_by(other, one).is_empty() {
                    p { "No difference: they read the same images." }
                } @else {
                    p { (comparison.test(one, other)) "." }
                    (correct_only_by(page, one, other))
                    (correct_only_by(page, other, one))
                }
            }
        }
    }
}

/// The images that function number `one` reads and `other` does not.
fn correct_only_by(page: &Page<'_>, one: usize, other: usize) -> Markup {
    let images = page.comparison.correct_only_by(one, other);
    let [reads, misreads] = [one, other].map(|place| &page.comparison.functions[place]);
    let shown = &images[..images.len().min(page.limit)];
    html! {
        h3 id=(anchor(one, other)) {
            "Only " (reads.activation) " reads " (images.len())
            @if shown.len() < images.len() { " (shown: " (shown.len()) ")" }
        }
        div.sheet {
            @for &image in shown { (card(&page.items[image], image, [reads, misreads])) }
        }
    }
}

fn card(item: &Item, image: usize, functions: [&Function; 2]) -> Markup {
    let predictions = functions.map(|function| function.predictions[image]);
    let about = format!(
        "number {}: a {}, read as {} by {} and as {} by {}",
        item.number,
        item.label,
        predictions[0].predicted,
        functions[0].activation,
        predictions[1].predicted,
        functions[1].activation,
    );
    html! {
        figure {
            (picture(&item.image, &about))
            figcaption {
                strong { (item.label) }
                span.number { "number " (item.number) }
                table.predictions {
                    tbody {
                        @for (function, prediction) in functions.iter().zip(predictions) {
                            tr.right[prediction.predicted == item.label] {
                                th scope="row" { (function.activation) }
                                td { (prediction.predicted) }
                                td { (format!("{:.1} %", 100.0 * prediction.probability)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The name of the place where those images are that `one` reads and `other` does not.
fn anchor(one: usize, other: usize) -> String {
    format!("only-{one}-{other}")
}
