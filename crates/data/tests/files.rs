//! Files as a user has them: plain, compressed, in an archive, in a folder, cut short.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use burn::data::dataset::Dataset;
use data::{Error, Source};
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const TRAIN: &str = "label,pixel0,pixel1,pixel2,pixel3\n1,0,0,0,0\n0,7,42,255,10\n2,1,2,3,4\n";
const TEST: &str = "pixel0,pixel1,pixel2,pixel3\n9,8,7,6\n5,4,3,2\n";

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn kaggle() -> Vec<u8> {
    let submission = "ImageId,Label\n1,0\n";
    zip(&[
        ("sample_submission.csv", submission),
        ("test.csv", TEST),
        ("train.csv", TRAIN),
    ])
}

/// A folder with these files, removed with the returned guard.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn assert_train(path: &Path, found: &Path) {
    let images = data::training_images(Some(path)).unwrap();
    assert_eq!((images.len(), images.side(), images.classes()), (3, 2, 3));
    let second = images.get(1).unwrap();
    assert_eq!(
        (second.image.pixels(), second.label),
        ([7, 42, 255, 10].as_slice(), 0)
    );
    assert_eq!(images.source(), &Source::File(found.to_path_buf()));
    assert_eq!(
        images.to_string(),
        format!("{}: 3 labelled 2×2 images, 3 classes", found.display())
    );
}

fn assert_test(path: &Path, found: &Path) {
    let images = data::test_images(Some(path)).unwrap();
    assert_eq!((images.len(), images.side()), (2, 2));
    let second = images.get(1).unwrap();
    assert_eq!(
        (second.image.pixels(), second.id),
        ([5, 4, 3, 2].as_slice(), 2)
    );
    assert_eq!(
        images.to_string(),
        format!("{}: 2 unlabelled 2×2 images", found.display())
    );
}

#[test]
fn every_kind_of_file_by_name_and_by_folder() {
    for (train, test, train_bytes, test_bytes) in [
        (
            "train.csv",
            "test.csv",
            TRAIN.as_bytes().to_vec(),
            TEST.as_bytes().to_vec(),
        ),
        ("train.csv.gz", "test.csv.gz", gzip(TRAIN), gzip(TEST)),
        (
            "digit-recognizer.zip",
            "digit-recognizer.zip",
            kaggle(),
            kaggle(),
        ),
    ] {
        let folder = folder(&[(train, &train_bytes), (test, &test_bytes)]);
        let (train, test) = (folder.path().join(train), folder.path().join(test));
        assert_train(&train, &train);
        assert_train(folder.path(), &train);
        assert_test(&test, &test);
        assert_test(folder.path(), &test);
    }
}

#[test]
fn the_content_tells_the_format() {
    let folder = folder(&[("digits.csv", &gzip(TRAIN)), ("digits.gz", &kaggle())]);
    for name in ["digits.csv", "digits.gz"] {
        let path = folder.path().join(name);
        assert_train(&path, &path);
    }
}

/// As programs that write in blocks leave it, and `gzip` reads it.
#[test]
fn zeros_behind_a_gzip_file_are_left_alone() {
    let (first, second) = TRAIN.split_at(TRAIN.len() / 2);
    for content in [
        [gzip(TRAIN), vec![0; 100_000]].concat(),
        [gzip(first), gzip(second), vec![0]].concat(),
    ] {
        let folder = folder(&[("train.csv.gz", &content)]);
        assert_train(folder.path(), &folder.path().join("train.csv.gz"));
    }
}

#[test]
fn several_gzip_members_are_one_file() {
    let (first, second) = TRAIN.split_at(50);
    let folder = folder(&[("train.csv.gz", &[gzip(first), gzip(second)].concat())]);
    assert_train(folder.path(), &folder.path().join("train.csv.gz"));
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    for (name, bytes) in [
        ("train.csv.gz", gzip(TRAIN)),
        ("digit-recognizer.zip", kaggle()),
    ] {
        for length in 0..bytes.len() {
            let folder = folder(&[(name, &bytes[..length])]);
            let line = data::training_images(Some(folder.path()))
                .unwrap_err()
                .to_string();
            assert!(line.contains(name) && !line.contains('\n'), "{line}");
        }
    }
}

/// The checksums of both formats are looked at: no bit of the content changes unseen.
#[test]
fn a_damaged_file_is_not_read_as_other_images() {
    for (name, bytes) in [
        ("train.csv.gz", gzip(TRAIN)),
        ("digit-recognizer.zip", kaggle()),
    ] {
        let whole = folder(&[(name, &bytes)]);
        let whole = data::training_images(Some(whole.path()))
            .unwrap()
            .fingerprint();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let folder = folder(&[(name, &damaged)]);
            if let Ok(images) = data::training_images(Some(folder.path())) {
                assert_eq!(images.fingerprint(), whole, "byte {at} of {name}");
            }
        }
    }
}

#[test]
fn an_archive_of_one_table_by_another_name() {
    let folder = folder(&[
        (
            "mine.zip",
            &zip(&[
                ("a/mine.CSV", TRAIN),
                ("__MACOSX/a/._mine.CSV", "x"),
                ("notes", "x"),
            ]),
        ),
        ("digit-recognizer.zip", &zip(&[("mine.csv", TEST)])),
        ("two.zip", &zip(&[("a.csv", TRAIN), ("b.csv", TRAIN)])),
        ("test.zip", &zip(&[("test.csv", TEST)])),
    ]);
    let at = |name: &str| folder.path().join(name);
    assert_train(&at("mine.zip"), &at("mine.zip"));
    assert_eq!(
        tables(&at("mine.zip")),
        [("mine.zip/a/mine.CSV".into(), 3, true)]
    );
    assert_test(folder.path(), &at("digit-recognizer.zip"));
    let tables = data::tables(Some(folder.path())).unwrap();
    assert_eq!(tables.len(), 1);
    for name in ["two.zip", "test.zip"] {
        let error = training_error(&at(name));
        assert!(matches!(error, Error::NotInArchive { .. }), "{error}");
    }
}

fn training_error(path: &Path) -> Error {
    data::training_images(Some(path)).unwrap_err()
}

/// A file that cannot be read must not be taken for none, as other digits would then be in its place.
#[test]
#[cfg(unix)]
fn a_link_to_nothing_is_an_error() {
    let folder = folder(&[]);
    let path = folder.path().join("train.csv");
    std::os::unix::fs::symlink("moved.csv", &path).unwrap();
    assert!(matches!(
        training_error(folder.path()),
        Error::Missing { file, remedy }
            if file == path.display().to_string() && remedy == "it is a link to moved.csv"
    ));
}

#[test]
fn what_is_not_there() {
    let empty = folder(&[]);
    let name = empty.path().display().to_string();
    assert_eq!(
        training_error(empty.path()).to_string(),
        format!(
            "{name}: found no train.csv, train.csv.gz or digit-recognizer.zip; put one there, or name a file \
             instead of the folder"
        )
    );
    let others = tempfile::tempdir().unwrap();
    for name in ["notes.txt", "mine.csv", "a.CSV.gz", "test.csv"] {
        std::fs::write(others.path().join(name), "").unwrap();
    }
    let error = training_error(others.path()).to_string();
    assert!(
        error.ends_with("or name a file instead of the folder; found there: a.CSV.gz, mine.csv"),
        "{error}"
    );
    for (path, remedy) in [
        (empty.path().join("none.csv"), "name another".to_string()),
        (
            others.path().join("none.csv"),
            "found in its folder: a.CSV.gz, mine.csv, test.csv".into(),
        ),
        (
            empty.path().join("a/b.csv"),
            format!("there is no folder {name}/a, either"),
        ),
    ] {
        let expected = format!(
            "{}: there is no such file or folder; {remedy}",
            path.display()
        );
        assert_eq!(training_error(&path).to_string(), expected);
    }

    let archive = folder(&[("digit-recognizer.zip", &zip(&[("readme.txt", "")]))]);
    let line = training_error(archive.path()).to_string();
    assert!(
        line.contains("found readme.txt, expected train.csv in the archive"),
        "{line}"
    );
}

#[test]
fn labels_where_they_do_not_belong() {
    let swapped = folder(&[
        ("train.csv", TEST.as_bytes()),
        ("test.csv", TRAIN.as_bytes()),
    ]);
    let error = training_error(swapped.path());
    assert!(
        matches!(error, Error::MissingLabelColumn { columns: 4, .. }),
        "{error}"
    );
    let error = data::test_images(Some(swapped.path())).unwrap_err();
    assert!(
        matches!(error, Error::UnexpectedLabelColumn { .. }),
        "{error}"
    );
}

/// Kaggle's own files: sizes, and what is published about MNIST, which the rows are drawn from (mean
/// 0.1307 and standard deviation 0.3081 of its 60,000 training images, about a tenth of them of each
/// class).
#[test]
fn the_real_data() {
    let Some(folder) = std::env::var_os("DIGIT_RECOGNIZER_DATA").map(PathBuf::from) else {
        eprintln!("DIGIT_RECOGNIZER_DATA is not set: this test is skipped");
        return;
    };
    let images = data::training_images(Some(&folder)).unwrap();
    assert_eq!(
        (images.len(), images.side(), images.classes()),
        (42_000, 28, 10)
    );
    for class in 0..10 {
        let count = images.labels().filter(|&label| label == class).count();
        assert!(
            (3700..4800).contains(&count),
            "{count} images of class {class}"
        );
    }
    let scaling = images.scaling();
    assert!((scaling.mean - 0.1307).abs() < 0.001, "{scaling:?}");
    assert!(
        (scaling.standard_deviation - 0.3081).abs() < 0.001,
        "{scaling:?}"
    );

    let test = data::test_images(Some(&folder)).unwrap();
    assert_eq!((test.len(), test.side()), (28_000, 28));
    assert_eq!(test.get(27_999).unwrap().id, 28_000);
}

/// Names, numbers of images and whether they have labels.
fn tables(path: &Path) -> Vec<(String, usize, bool)> {
    let tables = data::tables(Some(path)).unwrap();
    tables
        .iter()
        .map(|table| {
            let name = Path::new(table.name()).strip_prefix(path.parent().unwrap());
            let name = name.unwrap().display().to_string();
            (name, table.images().len(), table.labels().is_some())
        })
        .collect()
}

#[test]
fn all_tables_of_a_file_a_folder_or_an_archive() {
    let bytes = kaggle();
    let folder = folder(&[
        ("any.csv.gz", gzip(TEST).as_slice()),
        ("digit-recognizer.zip", &bytes),
        ("empty.zip", &zip(&[("readme", "x")])),
        ("test.csv", TEST.as_bytes()),
    ]);
    let at = |name: &str| folder.path().join(name);
    let one = |name: &str, images, labelled| (name.to_string(), images, labelled);
    assert_eq!(tables(&at("any.csv.gz")), [one("any.csv.gz", 2, false)]);
    let archive = tables(&at("digit-recognizer.zip"));
    assert_eq!(
        archive,
        [
            one("digit-recognizer.zip/train.csv", 3, true),
            one("digit-recognizer.zip/test.csv", 2, false)
        ]
    );
    let here = folder.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(
        tables(folder.path()),
        [
            one(&format!("{here}/digit-recognizer.zip/train.csv"), 3, true),
            one(&format!("{here}/test.csv"), 2, false)
        ]
    );
    let error = data::tables(Some(&at("empty.zip"))).unwrap_err();
    assert!(matches!(error, Error::NotInArchive { .. }), "{error}");
    let error = data::tables(Some(&at("nowhere.csv"))).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    // An archive with one of the tables, found by its folder; and with none.
    fs::create_dir(at("part")).unwrap();
    fs::write(at("part/digit-recognizer.zip"), zip(&[("test.csv", TEST)])).unwrap();
    assert_eq!(
        tables(&at("part")),
        [one("part/digit-recognizer.zip/test.csv", 2, false)]
    );
    fs::write(at("part/digit-recognizer.zip"), zip(&[("readme", "x")])).unwrap();
    let error = data::tables(Some(&at("part"))).unwrap_err();
    assert!(matches!(error, Error::NotInArchive { .. }), "{error}");
    // Names are not ours, and an error has one line.
    let archive = zip(&[("a\nb\u{1b}[2J", "x")]);
    fs::write(at("part/digit-recognizer.zip"), archive).unwrap();
    let error = data::tables(Some(&at("part"))).unwrap_err().to_string();
    assert!(error.contains(r"a\nb\u{1b}[2J"), "{error}");
    fs::create_dir(at("bare")).unwrap();
    let error = data::tables(Some(&at("bare"))).unwrap_err();
    assert!(matches!(error, Error::NotInFolder { .. }), "{error}");
}

#[test]
fn an_archive_beside_images_is_found() {
    let folder = folder(&[("digit-recognizer.zip", &kaggle()), ("train.csv", b"")]);
    let source = |name: &str| Source::File(folder.path().join(name));
    let archive = folder.path().join("digit-recognizer.zip");
    assert_eq!(
        data::archive_beside(&source("train.csv")),
        Some(archive.clone())
    );
    assert_eq!(data::archive_beside(&source("digit-recognizer.zip")), None);
    // Unpacked, it is the same.
    fs::write(folder.path().join("train.csv"), TRAIN).unwrap();
    assert_eq!(data::archive_beside(&source("train.csv")), None);
    assert_eq!(data::archive_beside(&Source::Memory), None);
    assert!(data::has_archived_test_images(&archive));
    assert!(!data::has_archived_test_images(
        &folder.path().join("train.csv")
    ));
    fs::write(&archive, zip(&[("train.csv", TRAIN)])).unwrap();
    assert!(!data::has_archived_test_images(&archive));
}

#[test]
fn files_that_others_hide() {
    let folder = folder(&[("digit-recognizer.zip", b""), ("train.csv", b"")]);
    let hidden = || {
        let files = data::shadowed(folder.path());
        let names = files.iter().map(|path| path.file_name().unwrap().to_str());
        names
            .map(|name| name.unwrap().to_string())
            .collect::<Vec<_>>()
    };
    // Its test.csv is still in use.
    assert_eq!(hidden(), [""; 0]);
    fs::write(folder.path().join("test.csv.gz"), "").unwrap();
    assert_eq!(hidden(), ["digit-recognizer.zip"]);
    fs::write(folder.path().join("train.csv.gz"), "").unwrap();
    fs::write(folder.path().join("test.csv"), "").unwrap();
    assert_eq!(
        hidden(),
        ["train.csv.gz", "test.csv.gz", "digit-recognizer.zip"]
    );
}

/// Pictures, arrays and workbooks are told from tables by their first bytes, and what to do is said.
#[test]
fn other_kinds_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images");
    let complaint = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = data::training_images(Some(&path)).err().unwrap();
        error.to_string().replace(path.to_str().unwrap(), "images")
    };
    assert_eq!(
        complaint(b"\x89PNG\r\n\x1a\n"),
        "images: found a picture (PNG), expected a table in CSV; write the pixels of all pictures into one table, a row \
         for each"
    );
    assert_eq!(
        complaint(b"\x93NUMPY\x01\0"),
        "images: found an array of NumPy, expected a table in CSV; export it as CSV"
    );
    assert_eq!(
        complaint(&zip(&[("xl/workbook.xml", "")])),
        "images: found an Excel workbook, expected a table in CSV; export it as CSV"
    );
}
