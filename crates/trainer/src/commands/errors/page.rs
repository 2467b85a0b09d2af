//! Misread images as one page that needs nothing else.

mod pairs;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use data::Image;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use picture::Channels;

use super::pairs::Comparison;
use super::{Item, Mistake};

const STYLE: &str = include_str!("style.css");

/// Classes that are shown for each image, besides its own.
const CLASSES: usize = 3;

/// What the page shows.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    /// What is to be known of the images.
    pub(super) note: Option<&'a str>,
    /// The command that made it.
    pub(super) command: &'a str,
    /// Those that are shown of all networks together.
    pub(super) mistakes: &'a [Mistake<'a>],
    /// All images, misread or not.
    pub(super) items: &'a [Item],
    pub(super) comparison: &'a Comparison,
    /// The most images that are shown of a function against another.
    pub(super) limit: usize,
}

impl Page<'_> {
    /// The page as a file.
    pub(super) fn html(&self) -> String {
        let title = self.title;
        let several = self.comparison.functions.len() > 1;
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
                        @if let Some(note) = self.note { p { "Note: " (note) "." } }
                        p {
                            "The most confident mistakes come first. Under each image: what it is and what it \
                             was taken for, its number among the images (from 1), and the most probable \
                             classes. Made by " code { (self.command) } "."
                        }
                        @if several {
                            (pairs::table(self.comparison))
                            h2 { "Misread by the networks together, their probabilities averaged" }
                        }
                        @if self.mistakes.is_empty() { p { "None." } }
                        div.sheet { @for mistake in self.mistakes { (card(mistake)) } }
                        @if several { (pairs::sections(self)) }
                    }
                }
            }
        };
        page.into_string()
    }
}

fn card(mistake: &Mistake<'_>) -> Markup {
    let Mistake {
        item,
        predicted,
        probabilities,
    } = mistake;
    let Item {
        image,
        number,
        label,
    } = item;
    let percent = |class: usize| format!("{:.1} %", 100.0 * probabilities[class]);
    let about = format!(
        "number {number}: a {label} read as {predicted}, {}",
        percent(*predicted)
    );
    html! {
        figure {
            (picture(image, &about))
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

/// An image inside the page, described by `about` for those who do not see it.
fn picture(image: &Image, about: &str) -> Markup {
    let side = image.side() as u32;
    let png = picture::png(side, side, Channels::Grey, image.pixels());
    let source = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png));
    html! { img src=(source) alt=(about); }
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
