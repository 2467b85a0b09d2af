use super::*;
use crate::Error;

/// Images of 2×2 pixels.
fn table(name: &str, images: &[[u8; 4]], labels: Option<&[u8]>) -> ImageTable {
    ImageTable::new(name, images.concat(), labels.map(<[u8]>::to_vec), 2).unwrap()
}

/// Warnings of a table, each in words.
fn said(tables: &[ImageTable]) -> Vec<String> {
    let report = check(tables);
    report.warnings.iter().map(Warning::to_string).collect()
}

/// So many different images of 3×3 pixels with a dark border, and twenty labels of each of 0 to 4.
fn good(name: &str) -> ImageTable {
    let pixels = (0..100).flat_map(|n| [0, 0, 0, 0, 101 + n, 0, 0, 0, 0]);
    let labels = (0..100).map(|n| n % 5).collect();
    ImageTable::new(name, pixels.collect(), Some(labels), 3).unwrap()
}

#[test]
fn a_table_is_described() {
    let images = [[0, 0, 0, 4], [0, 0, 0, 0], [7, 7, 7, 7], [0, 0, 0, 4]];
    let report = check(&[table("t", &images, Some(&[1, 0, 1, 2]))]);
    let [description] = report.tables.as_slice() else {
        panic!("{report:?}");
    };
    // 36 in 16 pixels; squares 4 × 49 + 2 × 16 = 228; 228/16 − 2.25² = 9.1875.
    let expected = Description {
        name: "t".into(),
        images: 4,
        side: 2,
        classes: Some(vec![1, 2, 1]),
        smallest: 0,
        largest: 7,
        mean: 2.25,
        standard_deviation: 9.1875_f64.sqrt(),
        border_mean: 2.25,
        blank: vec![2],
        constant: vec![3],
        repeated: vec![vec![1, 4]],
        contradictory: vec![vec![1, 4]],
    };
    assert_eq!(*description, expected);
    assert_eq!(description.copies(), 1);
}

#[test]
fn a_good_table_has_no_warnings() {
    let report = check(&[good("t")]);
    assert_eq!(report.warnings, []);
    assert_eq!(report.tables[0].border_mean, 0.0);
    assert_eq!(report.tables[0].classes, Some(vec![20; 5]));
}

#[test]
fn labels_with_gaps() {
    let images = [[0, 0, 0, 1], [0, 0, 0, 2], [0, 0, 0, 3]];
    let warnings = |labels: &[u8]| said(&[table("t", &images, Some(labels))]);
    assert_eq!(
        warnings(&[2, 1, 3])[0],
        "t: no image has the label 0, though the labels go up to 3; to train on the file, subtract 1 from each, as `trainer data convert` does; to \
         evaluate on it, leave them as they are, if they mean the same as in training"
    );
    let many = warnings(&[0, 9, 2]);
    assert!(
        many[0].starts_with("t: no image has the label 1, 3, 4, 5, 6 and 2 more, though"),
        "{many:?}"
    );
    assert!(
        many[0].contains("to train on the file, renumber them, as `trainer data convert` does;"),
        "{many:?}"
    );
    // Classes that are missing are not also few.
    assert!(
        many[1].starts_with("t: few images of class 0 (1), class 2 (1), class 9 (1);"),
        "{many:?}"
    );
    let one = warnings(&[3, 3, 3]);
    assert_eq!(
        one[1],
        "t: all images have the label 3; there is nothing to tell apart"
    );
}

#[test]
fn copies_and_contradictions() {
    let images = [[0, 0, 0, 1], [0, 0, 0, 2], [0, 0, 0, 1], [0, 0, 0, 2]];
    let copies = said(&[table("t", &images, None)]);
    assert_eq!(
        copies,
        [
            "t: 2 images copied from earlier ones, such as number 3 from 1; if one is trained on and \
             the other held out, the score is too good"
        ]
    );
    let contradiction = said(&[table("t", &images, Some(&[0, 1, 0, 2]))]);
    assert!(
        contradiction.iter().any(|warning| warning
            == "t: 1 image more than once with different labels, such as number 2 (label 1) and 4 \
                (label 2); at most one of them can be right"),
        "{contradiction:?}"
    );
}

#[test]
fn what_tables_share_is_counted_for_each_two() {
    let first = table("a", &[[0, 0, 0, 1], [0, 0, 0, 2]], Some(&[0, 1]));
    let second = table("b", &[[0, 0, 0, 3], [0, 0, 0, 2]], Some(&[1, 0]));
    let third = table("c", &[[0, 0, 0, 2]], None);
    let report = check(&[first, second, third]);
    let found: Vec<_> = report
        .shared
        .iter()
        .map(|shared| {
            let Shared { first, second, .. } = shared;
            (
                first.as_str(),
                second.as_str(),
                shared.images.clone(),
                shared.contradictory,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("a", "b", vec![[2, 2]], Some(1)),
            ("a", "c", vec![[2, 1]], None),
            ("b", "c", vec![[2, 1]], None),
        ]
    );
    let words: Vec<String> = report.warnings.iter().map(Warning::to_string).collect();
    assert!(
        words.contains(
            &"b: 1 image also in a, such as number 2, there 2; 1 with another label; trained on the \
              one, a network is not tested by the other"
                .to_string()
        ),
        "{words:?}"
    );
}

#[test]
fn images_of_different_sizes_share_nothing() {
    let blank =
        |name, side: usize| ImageTable::new(name, vec![0; side * side], None, side).unwrap();
    let report = check(&[blank("a", 2), blank("b", 3)]);
    assert_eq!(report.shared, []);
    assert!(
        report.warnings.contains(&Warning::Sides {
            first: "a".into(),
            second: "b".into(),
            sides: [2, 3]
        }),
        "{report:?}"
    );
}

#[test]
fn classes_with_few_images() {
    let labels = |counts: &[usize]| class_warnings("t", counts);
    let few = |classes: &[(u8, usize)]| Warning::FewImages {
        table: "t".into(),
        classes: classes.to_vec(),
    };
    assert_eq!(labels(&[20, 20]), []);
    assert_eq!(labels(&[20, 19]), [few(&[(1, 19)])]);
    // A tenth of what it would have, and less.
    assert_eq!(labels(&[1000, 1000, 105]), []);
    assert_eq!(labels(&[1000, 1000, 70, 1000]), [few(&[(2, 70)])]);
    let one = |class| Warning::OneClass {
        table: "t".into(),
        class,
    };
    assert_eq!(labels(&[7]), [one(0)]);
    let many = few(&[
        (0, 3),
        (1, 3),
        (2, 3),
        (3, 3),
        (4, 3),
        (5, 3),
        (6, 3),
        (7, 3),
    ]);
    let words = many.to_string();
    assert_eq!(labels(&[3; 8]), [many]);
    assert!(words.contains("class 4 (3) and 3 more classes;"), "{words}");
}

#[test]
fn a_class_with_most_of_the_images() {
    let dominant = |counts: &[usize]| {
        let mut warnings = class_warnings("t", counts).into_iter();
        warnings.find_map(|warning| match warning {
            Warning::DominantClass { class, share, .. } => Some((class, share)),
            _ => None,
        })
    };
    // Half of the images are not more than half.
    assert_eq!(dominant(&[50, 50, 100]), None);
    assert_eq!(dominant(&[50, 50, 300]), Some((2, 0.75)));
    // Of two classes one has half or more anyway.
    assert_eq!(dominant(&[75, 25]), None);
    assert_eq!(dominant(&[80, 20]), Some((0, 0.8)));
    let both = class_warnings("t", &[1000, 50]);
    let kinds = both.iter().map(Warning::to_string).collect::<Vec<_>>();
    assert!(
        kinds[0].starts_with("t: 95.2 % of the images are of class 0; "),
        "{kinds:?}"
    );
    assert!(
        kinds[1].starts_with("t: few images of class 1 (50); "),
        "{kinds:?}"
    );
}

#[test]
fn pixels_that_are_not_as_expected() {
    let kinds = |image: [u8; 9]| {
        let report = check(&[ImageTable::new("t", image.to_vec(), None, 3).unwrap()]);
        report.warnings
    };
    let table = || "t".to_string();
    let ink = |background, ink| {
        let mut image = [background; 9];
        image[4] = ink;
        image
    };
    assert_eq!(kinds(ink(0, 255)), []);
    assert_eq!(kinds(ink(0, 1)), [Warning::ZeroToOne { table: table() }]);
    assert_eq!(
        kinds(ink(255, 0)),
        [Warning::Inverted {
            table: table(),
            border_mean: 255.0
        }]
    );
    let (images, example) = (1, 1);
    assert_eq!(
        kinds(ink(0, 0)),
        [Warning::Blank {
            table: table(),
            images,
            example
        }]
    );
    assert_eq!(
        kinds(ink(9, 9)),
        [Warning::Constant {
            table: table(),
            images,
            example
        }]
    );
}

#[test]
fn lengths_must_fit() {
    for (pixels, labels, side) in [(5, None, 2), (0, None, 2), (4, Some(2), 2), (4, None, 0)] {
        let labels = labels.map(|count| vec![0; count]);
        let error = ImageTable::new("t", vec![0; pixels], labels, side).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }
}

/// A network for pixels up to 255 cannot read those up to 16.
#[test]
fn tables_of_different_ranges() {
    let bright = |name| table(name, &[[0, 0, 9, 255], [0, 0, 8, 200]], None);
    let dark = table("dark", &[[0, 0, 1, 63], [0, 0, 2, 60]], None);
    let expected = Warning::Ranges {
        bright: "bright".into(),
        dark: "dark".into(),
        largest: [255, 63],
    };
    for tables in [
        [
            bright("bright"),
            table("dark", &[[0, 0, 1, 63], [0, 0, 2, 60]], None),
        ],
        [dark, bright("bright")],
    ] {
        let report = check(&tables);
        assert!(report.warnings.contains(&expected), "{report:?}");
    }
    let nearly = table("nearly", &[[0, 0, 1, 64], [0, 0, 2, 60]], None);
    let report = check(&[bright("bright"), nearly]);
    let is_of_ranges = |warning: &Warning| matches!(warning, Warning::Ranges { .. });
    assert!(!report.warnings.iter().any(is_of_ranges), "{report:?}");
}

/// 4×4 pixels of red, green, blue and alpha pass for 8×8 of grey.
#[test]
fn colours_with_alpha_are_told_from_grey() {
    let alpha = |is_alpha: fn(usize) -> bool| {
        let pixels = (0..3_usize).flat_map(|image| {
            (0..64).map(move |place| match is_alpha(place) {
                true => 255,
                false => ((place * 7 + image * 3) % 200) as u8,
            })
        });
        let table = ImageTable::new("t", pixels.collect(), None, 8).unwrap();
        let warnings = check(&[table]).warnings.into_iter();
        let mut found = warnings.filter_map(|warning| match warning {
            Warning::Alpha {
                alpha, in_planes, ..
            } => Some((alpha, in_planes)),
            _ => None,
        });
        found.next()
    };
    assert_eq!(alpha(|place| place % 4 == 3), Some((255, false)));
    assert_eq!(alpha(|place| place >= 48), Some((255, true)));
    assert_eq!(alpha(|place| place % 4 == 2), None);
    assert_eq!(alpha(|place| place == 63), None);
    // Blank margins, and images of one grey, are none.
    assert_eq!(alpha(|_| true), None);
}
