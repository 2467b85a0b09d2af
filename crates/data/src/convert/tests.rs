use std::fs;

use proptest::prelude::*;

use super::*;
use crate::{Error, ImageTable};

/// What most tables need.
fn plain() -> Conversion {
    Conversion {
        label_column: None,
        is_labelled: true,
        classes: None,
        drop: Vec::new(),
        range: None,
        has_header: true,
        width: None,
        colours: None,
        fill: None,
    }
}

/// A folder with a table in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(table: impl AsRef<[u8]>) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::write(folder.path("in.csv"), table).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn convert(&self, conversion: &Conversion) -> Result<Converted, ConvertError> {
        conversion.run(&self.path("in.csv"), &self.path("out.csv"), &|| false)
    }

    /// What the program reads of the converted table.
    fn read(&self) -> ImageTable {
        crate::tables(Some(&self.path("out.csv")))
            .unwrap()
            .remove(0)
    }
}

/// Labels and pixels after conversion.
fn converted(table: &str, conversion: &Conversion) -> (Vec<u8>, Vec<Vec<u8>>, Vec<String>) {
    let folder = Folder::new(table);
    let converted = folder.convert(conversion).unwrap();
    let table = folder.read();
    let labels = table.labels().map(<[u8]>::to_vec).unwrap_or_default();
    let images: Vec<_> = table.images().map(<[u8]>::to_vec).collect();
    assert_eq!(images.len(), converted.images);
    assert_eq!(table.side(), converted.side);
    (labels, images, converted.classes)
}

/// The one line that a user sees, without the folder.
fn complaint(table: &str, conversion: &Conversion) -> String {
    let folder = Folder::new(table);
    let error = folder.convert(conversion).unwrap_err().to_string();
    // Nothing is left, hidden or not.
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 1);
    error.replace(&format!("{}/", folder.0.path().display()), "")
}

#[test]
fn classes_of_text_are_numbered_in_their_order() {
    let folder = Folder::new(
        "id,b0,b1,b2,b3,Class\n7,0,0.5,1,0.25,dog\n8,1,0,0,0,\"a, cat\"\n9,0,0,0,0,dog\n",
    );
    let conversion = Conversion {
        drop: vec!["ID".into()],
        ..plain()
    };
    let converted = folder.convert(&conversion).unwrap();
    let classes_file = folder.path("out-classes.csv");
    assert_eq!(
        converted,
        Converted {
            images: 3,
            size: [2, 2],
            side: 2,
            range: [0.0, 1.0],
            largest: 1.0,
            filled: 0,
            classes: vec!["a, cat".into(), "dog".into()],
            classes_file: Some(classes_file.clone()),
        }
    );
    let text = fs::read_to_string(folder.path("out.csv")).unwrap();
    assert_eq!(
        text,
        "label,pixel0,pixel1,pixel2,pixel3\n1,0,128,255,64\n0,255,0,0,0\n1,0,0,0,0\n"
    );
    let text = fs::read_to_string(&classes_file).unwrap();
    assert_eq!(text, "class,label\n\"a, cat\",0\ndog,1\n");

    // By the classes of an earlier conversion, one of which is missing here.
    let later = Folder::new("class,x1,x2,x3,x4\ndog,1,2,3,4\n");
    let conversion = Conversion {
        classes: Some(classes_file.clone()),
        ..plain()
    };
    let converted = later.convert(&conversion).unwrap();
    assert_eq!(converted.classes_file, None);
    assert_eq!(later.read().labels(), Some([1].as_slice()));
    assert_eq!(
        complaint("class,x1,x2,x3,x4\ndog,1,2,3,4\nbat,1,2,3,4\n", &conversion),
        format!(
            "in.csv, line 3, column 1 (class): found \"bat\", expected one of the classes in {}; remove the row, or \
             leave --classes away",
            classes_file.display()
        )
    );
}

#[test]
fn numbers_of_classes_are_closed_up_in_their_order() {
    let table = "label,p\n10,0\n9,1\n-2.0,2\n 10 ,255\n";
    let (labels, images, classes) = converted(table, &plain());
    assert_eq!(labels, [2, 1, 0, 2]);
    assert_eq!(images, [[0], [1], [2], [255]]);
    assert_eq!(classes, ["-2", "9", "10"]);
}

#[test]
fn pixels_of_any_range() {
    let with = |range, table| {
        let conversion = Conversion { range, ..plain() };
        converted(table, &conversion).1
    };
    assert_eq!(with(None, "y,a\n0,254.6\n1,1\n"), [[255], [1]]);
    assert_eq!(with(None, "y,a\n0,0\n1,1\n"), [[0], [255]]);
    assert_eq!(with(None, "y,a\n0,0\n1,0\n"), [[0], [0]]);
    assert_eq!(
        with(Some([-1.0, 1.0]), "y,a\n0,-1\n1,0\n2,1e0\n"),
        [[0], [128], [255]]
    );
    // Dark on bright.
    assert_eq!(with(Some([255.0, 0.0]), "y,a\n0,255\n1,55\n"), [[0], [200]]);
    assert_eq!(
        with(Some([0.0, 65535.0]), "y,a\n0,65535\n1,257\n"),
        [[255], [1]]
    );
}

#[test]
fn images_that_are_no_squares_get_margins() {
    let wide = Conversion {
        width: Some(3),
        ..plain()
    };
    let (_, images, _) = converted("y,a,b,c\n0,1,2,3\n1,4,5,6\n", &wide);
    assert_eq!(images[0], [0, 0, 0, 1, 2, 3, 0, 0, 0]);
    let high = Conversion {
        width: Some(2),
        ..plain()
    };
    let (_, images, _) = converted("y,a,b,c,d,e,f\n0,1,2,3,4,5,6\n", &high);
    // The odd column is on the right.
    assert_eq!(images[0], [1, 2, 0, 3, 4, 0, 5, 6, 0]);
}

#[test]
fn separators_and_headers() {
    let expected = (vec![1, 0], vec![vec![51, 255, 0, 0]; 2]);
    let without_header = Conversion {
        label_column: Some("5".into()),
        has_header: false,
        ..plain()
    };
    for (table, conversion) in [
        (
            "\u{feff}label;a;b;c;d\r\nx;0,2;1;0;0\r\nw;0.2;1;0;0\r\n",
            &plain(),
        ),
        (
            "\n\"a,b;c\"\tb\tc\td\tlabel\n0.2\t1\t0\t0\tx\n0.2\t1.0\t0\t0\tw",
            &plain(),
        ),
        ("0.2,1,0,0,x\n0.2,1,0,0,w\n", &without_header),
        ("0,2;1;0;0;x\n0,2;1;0;0;w\n", &without_header),
        // By their numbers.
        ("p3,p2,p4,p1,label\n0,1,0,0.2,x\n0,1,0,0.2,w\n", &plain()),
    ] {
        let (labels, images, _) = converted(table, conversion);
        assert_eq!((labels, images), expected, "{table}");
    }
    let unlabelled = Conversion {
        is_labelled: false,
        ..plain()
    };
    let (labels, images, classes) = converted("x\n7\n", &unlabelled);
    assert_eq!((labels, images, classes), (vec![], vec![vec![7]], vec![]));
}

#[test]
fn complaints() {
    let unnamed = Conversion {
        has_header: false,
        ..plain()
    };
    let classes: Vec<String> = (0..257).map(|class| format!("c{class},1\n")).collect();
    let many = format!("label,a\n{}", classes.concat());
    for (table, conversion, expected) in [
        (
            "",
            &plain(),
            "line 1, column 1: found an empty file, expected a header such as label,pixel0,pixel1,…",
        ),
        (
            "label,a\n",
            &plain(),
            "line 2, column 1: found the end of the file, expected rows after the header",
        ),
        (
            "label,a\n1,2\nlabel,a\n",
            &plain(),
            "line 3, column 2 (a): found \"a\", expected a number; that is the header again: remove the line",
        ),
        (
            "label,a\n1,2 3 4\n",
            &plain(),
            "line 2, column 2 (a): found \"2 3 4\", expected a number; give each pixel a column of its own, or leave the \
             column out with --drop, if it holds no pixels",
        ),
        (
            "My digits\nlabel,a\n1,2\n",
            &Conversion {
                label_column: None,
                ..plain()
            },
            "line 1, column 1: found the columns \"My\", \"digits\" for the classes; name the column of the classes with \
             --label-column, or say that there is none with --unlabelled",
        ),
        (
            "Digits\nlabel,a\n1,2\n",
            &plain(),
            "line 1, column 1: found one column alone, \"Digits\"; separate the columns by commas, semicolons or tabs, \
             and remove what stands above their names",
        ),
        (
            "label,a\n1,\"2\n1,3\n",
            &plain(),
            "line 2, column 2 (a): found \"2\\n1,3\\n\", expected a number; leave the column out with --drop, if it holds \
             no pixels",
        ),
        (
            ",label,a,b,c,d\n0,1,2,3,4,5\n",
            &plain(),
            "line 1, column 1: found 5 pixel columns, expected the number of a square image such as 784 = 28×28; leave \
             out the column without a name with --drop ''",
        ),
        (
            "label,a,,\n1,2,,7\n",
            &plain(),
            "line 2, column 4: found 4 fields, expected 2 as in the header; leave out the columns without a name with \
             --drop ''",
        ),
        (
            "a,b\n1,2\n",
            &plain(),
            "line 1, column 1: found the columns \"a\", \"b\" for the classes; name the column of the classes with \
             --label-column, or say that there is none with --unlabelled",
        ),
        (
            "y,b,Target\n1,2,3\n",
            &plain(),
            "line 1, column 1: found \"y\", \"Target\" for the classes; name the column of the classes with \
             --label-column, or say that there is none with --unlabelled",
        ),
        (
            "1,2\n",
            &unnamed,
            "line 1, column 1: found the columns \"1\", \"2\" for the classes; name the column of the classes with \
             --label-column, or say that there is none with --unlabelled",
        ),
        (
            "label,a\n1,2\n",
            &Conversion {
                drop: vec!["id".into()],
                ..plain()
            },
            "line 1, column 1: found no column \"id\", expected it among \"label\", \"a\"",
        ),
        (
            "label,a\n1,2\n,3\n",
            &plain(),
            "line 3, column 1 (label): found \"\", expected a class; fill it in, or remove the row",
        ),
        (
            "label,a\n1,x.png\n",
            &plain(),
            "line 2, column 2 (a): found \"x.png\", expected a number; leave the column out with --drop, if it holds no \
             pixels",
        ),
        (
            "label,a\n1,nan\n",
            &plain(),
            "line 2, column 2 (a): found \"nan\", expected a number; name with --fill what stands for it, such as 0, or \
             remove the row",
        ),
        (
            "label,a\n1,256\n",
            &plain(),
            "line 2, column 2 (a): found \"256\", expected a number from 0 to 255; name the values of background and \
             full ink with --range, or leave the column out with --drop, if it holds no pixels",
        ),
        (
            "label,a\n1,2\n1,2,3\n",
            &plain(),
            "line 3, column 3: found 3 fields, expected 2 as in the header",
        ),
        (
            "label,a,b\n1,2,3\n",
            &plain(),
            "line 1, column 3: found 2 pixel columns, expected the number of a square image such as 784 = 28×28; one more than 1×1: is one of them no pixel? \
             leave out with --drop what are no pixels, and name the width of other images with --width",
        ),
        (
            "label,a,b\n1,2,3\n",
            &Conversion {
                width: Some(3),
                ..plain()
            },
            "line 1, column 3: found 2 pixel columns, expected rows of 3; name another width, or leave out with \
             --drop what are no pixels",
        ),
        (
            many.as_str(),
            &plain(),
            "line 258, column 1 (label): found more than 256 different classes up to here; name the column of the \
             classes with --label-column, if it is another",
        ),
    ] {
        assert_eq!(complaint(table, conversion), format!("in.csv, {expected}"));
    }
}

#[test]
fn nothing_is_overwritten_and_a_stop_leaves_nothing() {
    for name in ["out.csv", "out-classes.csv"] {
        let folder = Folder::new("label,a\n1,2\n");
        fs::write(folder.path(name), "mine").unwrap();
        let error = folder.convert(&plain()).unwrap_err();
        assert!(matches!(error, ConvertError::Exists { .. }), "{error}");
        assert_eq!(fs::read(folder.path(name)).unwrap(), b"mine");
        assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 2);
    }
    let folder = Folder::new(format!("label,a\n{}", "1,2\n".repeat(1000)));
    // At once, and while the images are written.
    for questions in [0, 20] {
        let asked = std::cell::Cell::new(0);
        let is_cancelled = || asked.replace(asked.get() + 1) >= questions;
        let run = plain().run(
            &folder.path("in.csv"),
            &folder.path("out.csv"),
            &is_cancelled,
        );
        assert!(matches!(run, Err(ConvertError::Cancelled)));
        assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 1);
    }
}

#[test]
fn compressed_tables_and_missing_ones() {
    use std::io::Write;

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"label,a\nx,2\n").unwrap();
    let folder = Folder::new(gzip.finish().unwrap());
    folder.convert(&plain()).unwrap();
    assert_eq!(folder.read().image(0), [2]);
    fs::remove_file(folder.path("in.csv")).unwrap();
    fs::remove_file(folder.path("out.csv")).unwrap();
    fs::remove_file(folder.path("out-classes.csv")).unwrap();
    let error = folder.convert(&plain()).unwrap_err();
    assert!(
        matches!(error, ConvertError::Table(Error::Missing { .. })),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// However bytes are written, they come back.
    #[test]
    fn pixels_come_back(
        pixels in prop::collection::vec(any::<u8>(), 12),
        separator in prop_oneof![Just(","), Just(";"), Just("\t")],
        style in 0..3,
    ) {
        let written = |pixel: &u8| match style {
            0 => pixel.to_string(),
            1 => format!("{:.1}", f64::from(*pixel)),
            _ => (f64::from(*pixel) / 255.0).to_string(),
        };
        let mut rows: Vec<Vec<String>> = vec![["y", "a", "b", "c", "d"].map(String::from).to_vec()];
        for (image, class) in pixels.chunks(4).zip(["one", "two", "two"]) {
            rows.push(std::iter::once(class.to_string()).chain(image.iter().map(written)).collect());
        }
        let lines: Vec<String> = rows.iter().map(|row| row.join(separator)).collect();
        let range = if style == 2 { [0.0, 1.0] } else { [0.0, 255.0] };
        let conversion = Conversion { range: Some(range), ..plain() };
        let (labels, images, _) = converted(&lines.join("\n"), &conversion);
        prop_assert_eq!(labels, [0, 1, 1]);
        prop_assert_eq!(images.concat(), pixels);
    }
}

#[test]
fn two_hundred_and_fifty_six_classes_have_a_label_each() {
    let table = |count: usize| {
        let rows: String = (0..count)
            .map(|class| format!("c{class},1,2,3,4\n"))
            .collect();
        format!("label,a,b,c,d\n{rows}")
    };
    let folder = Folder::new(table(256));
    assert_eq!(folder.convert(&plain()).unwrap().classes.len(), 256);
    let error = complaint(&table(257), &plain());
    assert!(error.contains("more than 256 different classes"), "{error}");
}

/// Whatever numbers are written as, and whatever is no text.
#[test]
fn one_class_has_one_name() {
    let classes = |table: &str| Folder::new(table).convert(&plain()).unwrap().classes;
    let table =
        "label,a,b,c,d\n1.00,1,2,3,4\n1,1,2,3,4\n01,1,2,3,4\n1.000e+01,1,2,3,4\n2.0,1,2,3,4\n";
    assert_eq!(classes(table), ["1", "2", "10"]);
    assert_eq!(classes("label;a;b;c;d\n5,0;1;2;3;4\n5;1;2;3;4\n"), ["5"]);
    assert_eq!(classes("label,a,b,c,d\nnone,1,2,3,4\n"), ["none"]);
    let folder = Folder::new("");
    fs::write(folder.path("in.csv"), b"label,a,b,c,d\n\xe9,1,2,3,4\n").unwrap();
    let error = folder.convert(&plain()).unwrap_err().to_string();
    assert!(
        error.ends_with("expected text in UTF-8; save the file as UTF-8"),
        "{error}"
    );
}

/// What would be an image lost, or many spoilt, is asked about.
#[test]
fn what_is_unclear_is_refused() {
    let unlabelled = Conversion {
        is_labelled: false,
        ..plain()
    };
    let both = Conversion {
        drop: vec!["label".into()],
        label_column: Some("label".into()),
        ..plain()
    };
    for (table, conversion, expected) in [
        ("0,1,2,3\n5,6,7,8\n", &unlabelled, None),
        (
            "0,1,2,9\n5,6,7,8\n",
            &unlabelled,
            Some("say so with --no-header"),
        ),
        (
            "label,a,b,c\n1,2,3,4\n",
            &unlabelled,
            Some("leave it out with --drop"),
        ),
        ("label,a,b,c,d\n1,2,3,4,5\n", &both, Some("name it once")),
        (
            "label,p0,p1,p1,p2\n1,2,3,4,5\n",
            &plain(),
            Some("expected it only once"),
        ),
        (
            "label,p0,p1,p3,p4\n1,2,3,4,5\n",
            &plain(),
            Some("without a gap"),
        ),
        (
            "label,a,b,c,d\n1,0.5,0.2,1.0001,0\n",
            &plain(),
            Some("neither from 0 to 1 nor"),
        ),
    ] {
        match expected {
            None => assert_eq!(Folder::new(table).convert(conversion).unwrap().images, 1),
            Some(expected) => {
                let error = complaint(table, conversion);
                assert!(error.contains(expected), "{error}");
            }
        }
    }
    let header: Vec<String> = (0..784).map(|pixel| format!("x{pixel}")).collect();
    let narrow = Conversion {
        width: Some(1),
        ..plain()
    };
    let error = complaint(&format!("label,{}\n", header.join(",")), &narrow);
    assert!(
        error.contains("would be of 784×784 pixels, more than the 308×308"),
        "{error}"
    );
}

/// Lines are those of the file, whatever they end in.
#[test]
fn lines_are_those_of_the_file() {
    for text in [
        "label,a,b,c,d\r\n1,2,3,4,5\r\n1,2,x,4,5\r\n",
        "label,a,b,c,d\n1,2,3,4,5\n1,2,x,4,5\n",
        "label,a,b,c,d\r1,2,3,4,5\r1,2,x,4,5\r",
        "label,a,b,c,d\n\n1,2,x,4,5\n",
    ] {
        let error = complaint(text, &plain());
        assert!(
            error.starts_with("in.csv, line 3, column 3 (b): "),
            "{error}"
        );
    }
}

/// What spreadsheets add: a line that names the separator, and empty fields at the ends of rows.
#[test]
fn tables_of_spreadsheets() {
    let expected = (vec![1, 0], vec![vec![1, 2, 3, 4]; 2]);
    for table in [
        "sep=;\r\nlabel;a;b;c;d\r\nx;1;2;3;4\r\nw;1;2;3;4\r\n",
        "\u{feff}SEP=\t\nlabel\ta\tb\tc\td\nx\t1\t2\t3\t4\nw\t1\t2\t3\t4\n",
        "label,a,b,c,d,,\nx,1,2,3,4,,\nw,1,2,3,4,,\n",
        "label,a,b,c,d\nx,1,2,3,4,,\nw,1,2,3,4\n",
        "label|a|b|c|d\nx|1|2|3|4\nw|1|2|3|4\n",
        "label,a|x,b,c,d\nx,1,2,3,4\nw,1,2,3,4\n",
        "label a b c d\nx 1 2 3 4\nw 1 2 3 4\n",
        "  label   a  b  c d\n      x   1  2  3 4 \n      w   1  2  3 4 \n",
    ] {
        let (labels, images, _) = converted(table, &plain());
        assert_eq!((labels, images), expected, "{table}");
    }
    let without_header = Conversion {
        label_column: Some("1".into()),
        has_header: false,
        ..plain()
    };
    let (labels, images, _) = converted("x,1,2,3,4,,\nw,1,2,3,4,,\n", &without_header);
    assert_eq!((labels, images), expected);
}

/// Grey by hand: 0.299 · 100 + 0.587 · 200 + 0.114 · 50 = 153; 0.299 · 10 = 3, 0.587 · 10 = 6, 0.114 · 10 = 1.
#[test]
fn colours_become_grey() {
    let with = |order, has_alpha| Conversion {
        colours: Some(Colours { order, has_alpha }),
        ..plain()
    };
    let (planes, pixels) = (ColourOrder::Planes, ColourOrder::Pixels);
    let names: Vec<String> = (0..12).map(|index| format!("p{index}")).collect();
    let table = |values: &str| format!("label,{}\n0,{values}\n", names.join(","));
    let expected = [vec![153, 3, 6, 1]];
    let (_, images, _) = converted(
        &table("100,200,50,10,0,0,0,10,0,0,0,10"),
        &with(pixels, false),
    );
    assert_eq!(images, expected);
    let (_, images, _) = converted(
        &table("100,10,0,0,200,0,10,0,50,0,0,10"),
        &with(planes, false),
    );
    assert_eq!(images, expected);
    let error = complaint("label,a,b\n0,1,2\n", &with(planes, false));
    assert!(
        error.contains("2 pixel columns, expected 3 for each pixel"),
        "{error}"
    );
    // Alpha is left out.
    for (order, values) in [
        (pixels, "100,200,50,255,10,0,0,255,0,10,0,255,0,0,10,255"),
        (planes, "100,10,0,0,200,0,10,0,50,0,0,10,255,255,255,255"),
    ] {
        let names: Vec<String> = (0..16).map(|index| format!("p{index}")).collect();
        let table = format!("label,{}\n0,{values}\n", names.join(","));
        let (_, images, _) = converted(&table, &with(order, true));
        assert_eq!(images, expected);
    }
}

#[test]
fn missing_pixels_are_filled_in() {
    let filling = Conversion {
        fill: Some(7.0),
        ..plain()
    };
    let folder = Folder::new("label,a,b,c,d\n0,1,,NaN,4\n0,1,2,3,#N/A\n");
    assert_eq!(folder.convert(&filling).unwrap().filled, 3);
    assert_eq!(folder.read().image(0), [1, 7, 7, 4]);
    assert_eq!(folder.read().image(1), [1, 2, 3, 7]);
    let beyond = Conversion {
        fill: Some(300.0),
        ..plain()
    };
    let error = complaint("label,a\n0,1\n", &beyond);
    assert!(
        error.starts_with("found 300 for missing pixels, expected a number from 0 to 255"),
        "{error}"
    );
    let error = complaint("label,a\n#N/A,1\n", &filling);
    assert!(error.contains("expected a class"), "{error}");
}

/// A thousand and one: in one table both can be meant.
#[test]
fn thousands_are_told_from_decimals() {
    let wide = Conversion {
        range: Some([0.0, 65535.0]),
        ..plain()
    };
    for field in ["1,024", "12.345", "1,000"] {
        let error = complaint(&format!("label;a\n0;{field}\n"), &wide);
        assert!(
            error.starts_with(&format!(
                "in.csv, line 2, column 2 (a): found \"{field}\", whose separator"
            )),
            "{error}"
        );
    }
    // Between commas, points are those of decimals.
    let (_, images, _) = converted("label,a\n1.000,12345.678\n2.000,65535\n", &wide);
    assert_eq!(images, [[48], [255]]);
    // Neither group of digits can be one of thousands.
    for field in ["0,125", "1024,5", "1,02", "65535"] {
        let folder = Folder::new(format!("label;a\n0;{field}\n"));
        folder.convert(&wide).unwrap();
    }
    let (_, images, _) = converted("label;a\n0;1,000\n1;0,125\n", &plain());
    assert_eq!(images, [[255], [32]]);
    let classes = |table: &str| Folder::new(table).convert(&plain()).unwrap().classes;
    assert_eq!(classes("label;a\n1;1\n1,000;1\n"), ["1", "1,000"]);
    assert_eq!(
        classes("label,a\n1.000,1\n10.000,1\n2,1\n"),
        ["1", "2", "10"]
    );
}

/// An image is not taken for the names of columns.
#[test]
fn images_in_place_of_a_header() {
    let unlabelled = Conversion {
        is_labelled: false,
        ..plain()
    };
    let error = complaint("a.png,0,0.5,0,9\nb.png,1,2,3,4\n", &unlabelled);
    assert!(error.contains("say so with --no-header"), "{error}");
    // Numbers beside the name of the classes are those of pixels, in whatever order.
    for header in [
        "label,0,1,2,3",
        "label,3,2,1,0",
        "label,0,1,10,11",
        "class,1,3,5,7",
    ] {
        let folder = Folder::new(format!("{header}\nx,1,2,3,4\n"));
        assert_eq!(folder.convert(&plain()).unwrap().images, 1, "{header}");
    }
    let error = complaint("7,0,0.1,0.2,0.3\n1,0,0,0,0\n", &unlabelled);
    assert!(error.contains("read with header=None"), "{error}");
}

/// In the order of characters, 10 stands before 2.
#[test]
fn columns_with_two_numbers_are_put_into_order() {
    let width: usize = 11;
    let pixel = |row: usize, column: usize| row * width + column;
    let mut names: Vec<(String, usize)> = (0..width)
        .flat_map(|row| (0..width).map(move |column| (row, column)))
        .map(|(row, column)| (format!("r{row}c{column}"), pixel(row, column)))
        .collect();
    names.sort();
    let table = |names: &[(String, usize)]| {
        let header: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        let values: Vec<String> = names.iter().map(|(_, value)| value.to_string()).collect();
        format!("label,{}\n0,{}\n", header.join(","), values.join(","))
    };
    let (_, images, _) = converted(&table(&names), &plain());
    assert!(images[0].iter().copied().eq(0..121), "{:?}", images[0]);
    // Any other order is whose table it is.
    let mine = "label,x0y0,x1y0,x0y1,x1y1\n0,1,2,3,4\n";
    let (_, images, _) = converted(mine, &plain());
    assert_eq!(images, [[1, 2, 3, 4]]);
}
