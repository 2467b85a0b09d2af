//! Misread images as one page that needs nothing else.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use picture::Channels;

use super::Mistake;

const STYLE: &str = include_str!("style.css");

/// Classes that are shown for each image, besides its own.
const CLASSES: usize = 3;

pub(super) fn page(title: &str, command: &str, mistakes: &[Mistake<'_>]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    p {
                        "The network is most sure of the first ones. Under each image, its number in \
                         the file, what it is and what it was taken for, and the most probable \
                         classes. Made by " code { (command) } "."
                    }
                    div.sheet { @for mistake in mistakes { (card(mistake)) } }
                }
            }
        }
    };
    page.into_string()
}

fn card(mistake: &Mistake<'_>) -> Markup {
    let Mistake {
        image,
        number,
        label,
        predicted,
        probabilities,
    } = mistake;
    let side = image.side() as u32;
    let png = picture::png(side, side, Channels::Grey, image.pixels());
    let percent = |class: usize| format!("{:.1} %", 100.0 * probabilities[class]);
    let about = format!(
        "number {number}: a {label} read as {predicted}, {}",
        percent(*predicted)
    );
    html! {
        figure {
            img src=(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png))) alt=(about);
            figcaption {
                strong { (label) " read as " (predicted) }
                span.number { "number " (number) }
                table {
                    tbody {
                        @for class in shown(probabilities, *label) {
                            tr.right[class == *label] {
                                th scope="row" { (class) }
                                td.bar { div style=(format!("width:{:.1}%", 100.0 * probabilities[class])) {} }
                                td { (percent(class)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The most probable classes, and the image's own wherever it stands.
fn shown(probabilities: &[f64], label: usize) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..probabilities.len()).collect();
    classes.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let mut shown: Vec<usize> = classes.into_iter().take(CLASSES).collect();
    if !shown.contains(&label) {
        shown.push(label);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_own_class_is_always_shown() {
        let probabilities = [0.1, 0.5, 0.05, 0.2, 0.15];
        assert_eq!(shown(&probabilities, 3), [1, 3, 4]);
        assert_eq!(shown(&probabilities, 2), [1, 3, 4, 2]);
        assert_eq!(shown(&[0.4, 0.6], 0), [1, 0]);
    }
}
