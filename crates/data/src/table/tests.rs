use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn table(text: &str, labels: Labels) -> Result<Table, Error> {
    read(&mut text.as_bytes(), "t.csv", labels, 1024)
}

fn labelled(text: &str) -> Result<Table, Error> {
    table(text, Labels::Required)
}

/// The one line that a user sees for a labelled table.
fn complaint(text: &str) -> String {
    labelled(text).expect_err(text).to_string()
}

const HEADER: &str = "label,pixel0,pixel1,pixel2,pixel3\n";

#[test]
fn a_plain_table() {
    let text = format!("{HEADER}1,0,0,0,0\n0,7,42,255,10\n");
    let expected = Table {
        pixels: vec![0, 0, 0, 0, 7, 42, 255, 10],
        labels: vec![1, 0],
        side: 2,
    };
    assert_eq!(labelled(&text).unwrap(), expected);
    assert_eq!(labelled(&text.replace('\n', "\r\n")).unwrap(), expected);
    assert_eq!(labelled(&text.replace('\n', "\r")).unwrap(), expected);
    assert_eq!(labelled(text.trim_end()).unwrap(), expected);
    assert_eq!(labelled(&format!("\u{feff}{text}\n\n")).unwrap(), expected);
}

#[test]
fn unlabelled_images_count_from_one_and_need_no_label() {
    let table = table("pixel1,pixel2,pixel3,pixel4\n1,2,3,4\n", Labels::Absent).unwrap();
    assert_eq!(table.pixels, [1, 2, 3, 4]);
    assert!(table.labels.is_empty());
}

#[test]
fn columns_go_by_their_names() {
    let text = "Pixel2,pixel0,LABEL,pixel3,pixel1\n2,0,0,3,1\n";
    let table = labelled(text).unwrap();
    assert_eq!(table.pixels, [0, 1, 2, 3]);
    assert_eq!(table.labels, [0]);
}

#[test]
fn complaints_about_rows() {
    let rows = |rows: &str| complaint(&format!("{HEADER}{rows}"));
    let pixel = "expected an integer from 0 to 255";
    let missing = "; put a number in its place, 0 if it is background, as `trainer data convert --fill 0` does";
    let too_large = "divide by the largest value there can be, and round, as `trainer data convert --range 0 65535` does";
    for (text, expected) in [
        (
            "0,1,2,3,4\n0,1,256,3,4\n",
            format!("line 3, column 3 (pixel1): found \"256\", {pixel}; multiply by 255, {too_large}"),
        ),
        (
            "0,1,2,3,4\n\n0,1,-2,3,4\n",
            format!(
                "line 4, column 3 (pixel1): found \"-2\", {pixel}; bring all of them to 0 to 255, as \
                 `trainer data convert --range LOW HIGH` does"
            ),
        ),
        (
            "0,1,-0.5,3,4\n",
            format!(
                "line 2, column 3 (pixel1): found \"-0.5\", {pixel}; add 1, multiply by 127.5 and round \
                 what goes from -1 to 1, as `trainer data convert --range -1 1` does"
            ),
        ),
        ("0,1,2,3,\n", format!("line 2, column 5 (pixel3): found \"\", {pixel}{missing}")),
        ("0,NaN,2,3,4\n", format!("line 2, column 2 (pixel0): found \"NaN\", {pixel}{missing}")),
        (
            "0,1,2,3,4.5\n",
            format!("line 2, column 5 (pixel3): found \"4.5\", {pixel}; write it without a fraction, as `trainer data convert` does"),
        ),
        (
            "0,1,2,3,-0\n",
            format!("line 2, column 5 (pixel3): found \"-0\", {pixel}; write it in digits alone, as `trainer data convert` does"),
        ),
        (
            "0,1,1e2,3,4\n",
            format!("line 2, column 3 (pixel1): found \"1e2\", {pixel}; write it in digits alone, as `trainer data convert` does"),
        ),
        (
            "0,0,5e-1,3,4\n",
            format!(
                "line 2, column 3 (pixel1): found \"5e-1\", {pixel}; multiply by 255 and round what goes \
                 from 0 to 1, as `trainer data convert` does"
            ),
        ),
        (
            "0,0,0.5,3,4\n",
            format!(
                "line 2, column 3 (pixel1): found \"0.5\", {pixel}; multiply by 255 and round what goes \
                 from 0 to 1, as `trainer data convert` does"
            ),
        ),
        (
            "0,1,2,99999999999999999999999999,4\n",
            format!(
                "line 2, column 4 (pixel2): found \"999999999999999999999999…\", {pixel}; multiply by 255, \
                 {too_large}"
            ),
        ),
        ("\"0\n\",1,\"\nx\",3,4\n", format!("line 2, column 3 (pixel1): found \"\\nx\", {pixel}")),
        (
            "seven,1,2,3,4\n",
            "line 2, column 1 (label): found \"seven\", expected a class number from 0 to 255; number \
             the classes 0, 1, 2, …, as `trainer data convert` does"
                .into(),
        ),
        (
            "300,1,2,3,4\n",
            "line 2, column 1 (label): found \"300\", expected a class number from 0 to 255; number \
             the classes 0, 1, 2, …, as `trainer data convert` does"
                .into(),
        ),
        (
            "nan,1,2,3,4\n",
            "line 2, column 1 (label): found \"nan\", expected a class number from 0 to 255; fill it in, \
             or remove the row"
                .into(),
        ),
        (
            "7.0,1,2,3,4\n",
            "line 2, column 1 (label): found \"7.0\", expected a class number from 0 to 255; write it \
             without a fraction"
                .into(),
        ),
        ("0,1,2,3\n", "line 2, column 5: found 4 fields, expected 5 as in the header".into()),
        ("0,1,2,3,4,5,6\n", "line 2, column 6: found 7 fields, expected 5 as in the header".into()),
        (
            "0,1,2,3,4\n3,1,2,3,4\n1,1,2,3,4\n",
            "line 3, column 1: found label 3 but no label 2 in the whole file, expected the labels \
             0, 1, 2, … without a gap; to train on them, renumber them, as `trainer data convert` does"
                .into(),
        ),
        (
            "2,1,2,3,4\n1,1,2,3,4\n2,1,2,3,4\n",
            "line 2, column 1: found label 2 but no label 0 in the whole file, expected the labels \
             0, 1, 2, … without a gap; to train on them, subtract 1 from each, as `trainer data convert` does"
                .into(),
        ),
        ("", "line 2, column 1: found the end of the file, expected rows after the header".into()),
    ] {
        assert_eq!(rows(text), format!("t.csv, {expected}"));
    }
}

#[test]
fn complaints_about_headers() {
    for (text, expected) in [
        (
            "",
            "line 1, column 1: found an empty file, expected a header such as label,pixel0,pixel1,…",
        ),
        (
            "\n\r\n",
            "line 1, column 1: found an empty file, expected a header such as label,pixel0,pixel1,…",
        ),
        (
            "label,pixel0,pixel1,pixel2\n0,1,2,3\n",
            "line 1, column 4: found 3 pixel columns, expected the number of a square image such as \
             784 = 28×28; one fewer than 2×2: is one missing?",
        ),
        (
            "label\n0\n",
            "line 1, column 1: found 0 pixel columns, expected the number of a square image such as \
             784 = 28×28",
        ),
        (
            "label,pixel0,pixel1,pixel3,pixel4\n",
            "line 1, column 4: found \"pixel3\", expected pixel2 to be there first; no pixel may be \
             left out",
        ),
        (
            "label,pixel2,pixel3\n",
            "line 1, column 2: found \"pixel2\", expected pixel1 to be there first; no pixel may be \
             left out",
        ),
        (
            "label,pixel0,pixel0\n",
            "line 1, column 3: found \"pixel0\" again, expected it only once (it is column 2 already)",
        ),
        (
            "label,pixel0,label\n",
            "line 1, column 3: found \"label\" again, expected it only once (it is column 1 already)",
        ),
        (
            "label,pixel0,width\n",
            "line 1, column 3: found \"width\", expected label, pixel0, pixel1, … in the header; remove the \
             column, as `trainer data convert --drop` does, or rename it",
        ),
        (
            "pixel0,Class\n",
            "line 1, column 2: found \"Class\", expected label, pixel0, pixel1, … in the header; rename it \
             to label",
        ),
        (
            "class,label,pixel0\n",
            "line 1, column 1: found \"class\", expected label, pixel0, pixel1, … in the header; remove the \
             column, as `trainer data convert --drop` does, or rename it",
        ),
        (
            "name,width\n",
            "line 1, column 1: found \"name\", expected label, pixel0, pixel1, … in the header; rename \
             the columns so, as `trainer data convert` does",
        ),
        (
            "name\n",
            "line 1, column 1: found \"name\", expected label, pixel0, pixel1, … in the header",
        ),
        (
            "l\0a\0b\0e\0l\0,\0p\0\n",
            "line 1, column 1: found \"l\\0a\\0b\\0e\\0l\\0\", expected label, pixel0, pixel1, … in the \
             header; save the file as UTF-8",
        ),
        (
            "label;pixel0\n1;2\n",
            "line 1, column 1: found \"label;pixel0\", expected label, pixel0, pixel1, … in the header; \
             separate the columns by commas, as `trainer data convert` does",
        ),
        (
            "1,2\n",
            "line 1, column 1: found \"1\", expected label, pixel0, pixel1, … in the header; put such a \
             line above the rows, as `trainer data convert --no-header` does",
        ),
        (
            "pixel0\n1\n",
            "line 1, column 1: found no label column, only 1 others, expected one named label; is \
             this the unlabelled test.csv in place of train.csv?",
        ),
    ] {
        assert_eq!(complaint(text), format!("t.csv, {expected}"));
    }
    assert_eq!(
        table("pixel0,label\n1,2\n", Labels::Absent)
            .unwrap_err()
            .to_string(),
        "t.csv, line 1, column 2: found a label column, expected pixel columns only; is this the \
         labelled train.csv in place of test.csv? `trainer evaluate` scores networks on labelled images"
    );
}

#[test]
fn what_a_number_of_pixels_may_be() {
    for (pixels, remedy) in [
        (785, "; one more than 28×28: is one of them no pixel?"),
        (
            783,
            "; one fewer than 28×28, if one is missing; if the images are 27×29, pad them to squares, as `trainer data \
             convert --width` does",
        ),
        (3, "; one fewer than 2×2: is one missing?"),
        (
            600,
            "; if the images are 24×25 or 20×30, pad them to squares, as `trainer data convert --width` does",
        ),
        (
            1200,
            "; if the images are 3×20×20 in three colours, make them grey, as `trainer data convert --rgb` does; if they are 30×40 or 25×48, \
             pad them to squares, as `trainer data convert --width` does",
        ),
        (797, ""),
        (0, ""),
    ] {
        assert_eq!(remedy_for_shape(pixels), remedy, "{pixels}");
    }
}

/// The limit of a row bounds the memory in use, whatever the file holds.
#[test]
fn a_quotation_mark_left_open() {
    let text = format!(
        "{HEADER}0,1,2,3,4\n0,\"1,2,3,4\n{}",
        "0,1,2,3,4\n".repeat(500)
    );
    assert_eq!(
        complaint(&text),
        "t.csv, line 3, column 1: found no end of the row within 1024 bytes, the most that a row may \
         have; is a quotation mark left open?"
    );
}

#[test]
fn a_row_of_too_many_pixels() {
    let header: Vec<String> = (0..200).map(|pixel| format!(",pixel{pixel}")).collect();
    for (line, text) in [
        (1, format!("label{}\n", header.concat())),
        (2, format!("{HEADER}{}\n", "0,".repeat(600))),
    ] {
        assert_eq!(
            complaint(&text),
            format!(
                "t.csv, line {line}, column 1: found no end of the row within 1024 bytes, the most that a \
                 row may have, and enough for images of 9×9 pixels"
            )
        );
    }
}

#[test]
fn a_reader_that_fails_names_the_line() {
    let good = format!("{HEADER}0,1,2,3,4\n0,1,2");
    let mut reader = good.as_bytes().chain(Failing);
    let error = read(&mut reader, "t.csv", Labels::Required, 1024).unwrap_err();
    assert_eq!(
        error.to_string(),
        "t.csv, line 3: found damaged or missing data (cut short), expected more rows; copy or \
         download the file again"
    );
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "cut short"))
    }
}

/// Gives at most `step` bytes at a time.
struct Trickle<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.step);
        self.bytes.read(&mut buffer[..length])
    }
}

/// How a table is written.
#[derive(Clone, Debug)]
struct Style {
    byte_order_mark: bool,
    line_end: &'static str,
    final_line_ends: usize,
    first_pixel: usize,
    /// How each field is written in turn, over and over.
    fields: Vec<Field>,
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Plain,
    Quoted,
    Spaced,
    SpacedInQuotes,
    LeadingZeros,
}

/// Valid content: `labels[row]` and `pixels[row][pixel]`, and the order of the columns.
#[derive(Clone, Debug)]
struct Content {
    labels: Vec<u8>,
    pixels: Vec<Vec<u8>>,
    /// Column → 0 for the label, n for pixel n − 1.
    order: Vec<usize>,
}

fn style() -> impl Strategy<Value = Style> {
    use Field::*;
    let field = prop_oneof![
        20 => Just(Plain),
        1 => Just(Quoted),
        1 => Just(Spaced),
        1 => Just(SpacedInQuotes),
        1 => Just(LeadingZeros),
    ];
    let fields = prop_oneof![Just(vec![Plain]), prop::collection::vec(field, 1..40)];
    (
        any::<bool>(),
        prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
        0..3_usize,
        0..2_usize,
        fields,
    )
        .prop_map(
            |(byte_order_mark, line_end, final_line_ends, first_pixel, fields)| Style {
                byte_order_mark,
                line_end,
                final_line_ends,
                first_pixel,
                fields,
            },
        )
}

fn content() -> impl Strategy<Value = Content> {
    (1..=5_usize, 1..60_usize, any::<bool>()).prop_flat_map(|(side, rows, in_order)| {
        let pixel = prop_oneof![3 => Just(0), 1 => any::<u8>()];
        let columns: Vec<usize> = (0..=side * side).collect();
        let order = if in_order {
            Just(columns).boxed()
        } else {
            Just(columns).prop_shuffle().boxed()
        };
        (
            // Sorted labels 0, 1, … in random order have no gap.
            (1..=rows.min(20)).prop_flat_map(move |classes| {
                Just(
                    (0..rows)
                        .map(|row| (row % classes) as u8)
                        .collect::<Vec<_>>(),
                )
                .prop_shuffle()
            }),
            prop::collection::vec(prop::collection::vec(pixel, side * side), rows),
            order,
        )
            .prop_map(|(labels, pixels, order)| Content {
                labels,
                pixels,
                order,
            })
    })
}

fn write(content: &Content, style: &Style) -> String {
    let mut text = String::new();
    if style.byte_order_mark {
        text.push('\u{feff}');
    }
    let mut fields = style.fields.iter().cycle();
    let header: Vec<String> = content
        .order
        .iter()
        .map(|&column| match column {
            0 => "label".to_string(),
            number => format!("pixel{}", number - 1 + style.first_pixel),
        })
        .collect();
    text.push_str(&header.join(","));
    for (label, pixels) in content.labels.iter().zip(&content.pixels) {
        text.push_str(style.line_end);
        for (index, &column) in content.order.iter().enumerate() {
            let value = if column == 0 {
                *label
            } else {
                pixels[column - 1]
            };
            let comma = if index == 0 { "" } else { "," };
            match fields.next() {
                Some(Field::Quoted) => write!(text, "{comma}\"{value}\""),
                Some(Field::Spaced) => write!(text, "{comma} {value}  "),
                Some(Field::SpacedInQuotes) => write!(text, "{comma}\" {value} \""),
                Some(Field::LeadingZeros) => write!(text, "{comma}{value:03}"),
                _ => write!(text, "{comma}{value}"),
            }
            .unwrap();
        }
    }
    text.push_str(&style.line_end.repeat(style.final_line_ends));
    text
}

/// The same table read by the `csv` crate alone, one field by its name after the other.
fn reference(text: &str) -> Table {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|field| field == name);
    let label = column("label").unwrap();
    let first = usize::from(column("pixel0").is_none());
    let order: Vec<usize> = (first..)
        .map_while(|number| column(&format!("pixel{number}")))
        .collect();
    let mut table = Table {
        pixels: Vec::new(),
        labels: Vec::new(),
        side: (order.len() as f64).sqrt() as usize,
    };
    for record in reader.records() {
        let record = record.unwrap();
        table.labels.push(record[label].parse().unwrap());
        table
            .pixels
            .extend(order.iter().map(|&at| record[at].parse::<u8>().unwrap()));
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// However a valid table is written, wherever the window ends and however few bytes come at a
    /// time, the content is what the `csv` crate reads.
    #[test]
    fn reads_what_the_csv_crate_reads(
        content in content(),
        style in style(),
        window in 320..1500_usize,
        step in prop_oneof![1..8_usize, Just(usize::MAX)],
    ) {
        let text = write(&content, &style);
        let mut reader = Trickle { bytes: text.as_bytes(), step };
        let table = read(&mut reader, "t.csv", Labels::Required, window).unwrap();
        prop_assert_eq!(&table.labels, &content.labels);
        prop_assert_eq!(&table.pixels, &content.pixels.concat());
        prop_assert_eq!(table, reference(&text));
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        window in 1..300_usize,
    ) {
        for labels in [Labels::Required, Labels::Absent] {
            if let Err(error) = read(&mut bytes.as_slice(), "t.csv", labels, window) {
                prop_assert!(!error.to_string().contains(['\n', '\r']));
            }
        }
    }

    /// Bytes that get past the header, with the characters that mean something in CSV.
    #[test]
    fn arbitrary_rows_never_panic(
        rows in "[0-9,\"\n\r -]{0,200}",
        labels in prop_oneof![Just(Labels::Required), Just(Labels::Absent)],
    ) {
        let header = if labels == Labels::Required { "label,pixel0\n" } else { "pixel0\n" };
        let text = format!("{header}{rows}");
        if let Err(error) = read(&mut text.as_bytes(), "t.csv", labels, 64) {
            let line = error.to_string();
            prop_assert!(line.starts_with("t.csv, line "), "{}", line);
            prop_assert!(!line.contains(['\n', '\r']));
        }
    }

    /// A valid file with one byte changed is read, or refused in one line that names the file.
    #[test]
    fn one_wrong_byte(content in content(), style in style(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = write(&content, &style).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        match read(&mut bytes.as_slice(), "t.csv", Labels::Required, 2048) {
            Ok(table) => prop_assert_eq!(table.pixels.len(), table.labels.len() * table.side * table.side),
            Err(error) => prop_assert!(error.to_string().starts_with("t.csv, line ")),
        }
    }
}
