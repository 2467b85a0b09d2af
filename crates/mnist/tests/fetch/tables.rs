//! The files that are written, read back.

use std::fs;
use std::path::Path;

use files::sha256_hex;
use mnist::{
    Digits, Error, Existing, Fetch, Problem, Release, SetFiles, Split, TRAINING_ROWS,
    write_submission,
};

use crate::server::{Reply, Server};
use crate::{Originals, gzip, images, labels, names, release};

/// Header and rows of numbers.
fn read(path: &Path) -> (Vec<String>, Vec<Vec<u32>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().iter().map(String::from).collect();
    let rows = reader
        .records()
        .map(|row| {
            row.unwrap()
                .iter()
                .map(|field| field.parse().unwrap())
                .collect()
        })
        .collect();
    (header, rows)
}

fn fetch(originals: &Originals, folder: &Path, mirror: &str) -> Fetch {
    Fetch {
        download: originals.download(&folder.join("originals"), &[mirror]),
        training_rows: 36,
        seed: 5,
        ..Fetch::new(folder)
    }
}

#[test]
fn the_three_files_hold_all_images_once() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |_, _| Reply::Good);
    let folder = tempfile::tempdir().unwrap();
    let fetch = fetch(&originals, folder.path(), &server.url);
    let fetched = fetch.run(&mut ()).unwrap();
    assert_eq!((fetched.training_rows, fetched.test_rows), (36, 24));
    assert_eq!(
        names(folder.path()),
        ["originals", "test-labels.csv", "test.csv", "train.csv"]
    );

    let (header, train) = read(&fetched.files.train);
    assert_eq!((header.len(), header[0].as_str()), (785, "label"));
    assert_eq!(
        (header[1].as_str(), header[784].as_str()),
        ("pixel0", "pixel783")
    );
    let (test_header, test) = read(&fetched.files.test);
    assert_eq!(test_header, header[1..]);
    let (header, test_labels) = read(&fetched.files.test_labels);
    assert_eq!(header, ["ImageId", "Label"]);
    assert!(test_labels.iter().map(|row| row[0]).eq(1..=24));

    let split = Split::new(60, 36, 5).unwrap();
    let image = |index: u32| &originals.pixels[index as usize * 784..][..784];
    let label = |index: u32| u32::from(originals.labels[index as usize]);
    let same = |row: &[u32], index| {
        row.iter()
            .copied()
            .eq(image(index).iter().map(|&p| p.into()))
    };
    assert_eq!(train.len(), 36);
    for (row, &index) in train.iter().zip(&split.training) {
        assert_eq!(row[0], label(index));
        assert!(same(&row[1..], index));
    }
    assert_eq!(test.len(), 24);
    for ((row, answer), &index) in test.iter().zip(&test_labels).zip(&split.test) {
        assert_eq!(answer[1], label(index));
        assert!(same(row, index));
    }
}

#[test]
fn files_that_are_there_are_kept_unless_replacing_is_wanted() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |_, _| Reply::Good);
    for name in ["train.csv", "test.csv", "test-labels.csv"] {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join(name);
        fs::write(&there, "mine").unwrap();
        let mut fetch = fetch(&originals, folder.path(), &server.url);
        let before = server.requests().len();
        let error = fetch.run(&mut ()).unwrap_err();
        assert!(
            matches!(&error, Error::Exists { path } if *path == there),
            "{error}"
        );
        assert_eq!(server.requests().len(), before);
        assert_eq!(names(folder.path()), [name]);
        assert_eq!(fs::read_to_string(&there).unwrap(), "mine");

        fetch.existing = Existing::Replace;
        fetch.run(&mut ()).unwrap();
        assert_ne!(fs::read_to_string(&there).unwrap(), "mine");
    }
}

#[test]
fn the_seed_decides_the_files_and_the_originals_are_kept() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |_, _| Reply::Good);
    let folder = tempfile::tempdir().unwrap();
    let mut fetch = fetch(&originals, folder.path(), &server.url);
    fetch.existing = Existing::Replace;
    let mut sums = Vec::new();
    for seed in [5, 6, 5] {
        fetch.seed = seed;
        let fetched = fetch.run(&mut ()).unwrap();
        sums.push(sha256_hex(&fs::read(fetched.files.train).unwrap()));
    }
    assert_eq!(sums[0], sums[2]);
    assert_ne!(sums[0], sums[1]);
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_split_that_cannot_be_leaves_no_files() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |_, _| Reply::Good);
    let folder = tempfile::tempdir().unwrap();
    let mut fetch = fetch(&originals, folder.path(), &server.url);
    fetch.training_rows = TRAINING_ROWS;
    let error = fetch.run(&mut ()).unwrap_err();
    assert!(
        matches!(error, Error::SplitSize { count: 60, .. }),
        "{error}"
    );
    assert_eq!(names(folder.path()), ["originals"]);
}

#[test]
fn originals_that_do_not_fit_together() {
    let two = images(2, &[0; 8]);
    let cases = [
        // One label too few.
        [two.clone(), labels(&[1]), two.clone(), labels(&[1, 2])],
        // Images of another size in the other file.
        [
            two.clone(),
            labels(&[1, 2]),
            images(3, &[0; 18]),
            labels(&[1, 2]),
        ],
        // Labels in place of images.
        [
            labels(&[1, 2]),
            labels(&[1, 2]),
            two.clone(),
            labels(&[1, 2]),
        ],
        // Cut before it was compressed.
        [
            two[..20].to_vec(),
            labels(&[1, 2]),
            two.clone(),
            labels(&[1, 2]),
        ],
    ];
    for (number, files) in cases.into_iter().enumerate() {
        let originals = Originals::of(files);
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in &originals.files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let error = Digits::read(&originals.release, folder.path()).unwrap_err();
        let Error::Idx { file, problem } = &error else {
            panic!("{error}");
        };
        let found = match problem {
            Problem::Count { .. } => (0, "a-labels.gz"),
            Problem::Side { .. } => (1, "b-images.gz"),
            Problem::Magic { .. } => (2, "a-images.gz"),
            Problem::Short { .. } => (3, "a-images.gz"),
            _ => panic!("{error}"),
        };
        assert_eq!(found.0, number, "{error}");
        assert!(file.ends_with(found.1), "{error}");
    }
}

/// A release whose checksums are right and whose data are not.
#[test]
fn compressed_data_cut_short_or_damaged() {
    let whole = gzip(&images(2, &[0; 8]));
    let labels = gzip(&labels(&[1, 2]));
    let mut damaged = whole.clone();
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    for broken in [
        whole[..whole.len() - 9].to_vec(),
        damaged,
        b"plain".to_vec(),
    ] {
        let files: Vec<_> = [&broken, &labels, &whole, &labels]
            .iter()
            .zip(["a", "b", "c", "d"])
            .map(|(bytes, name)| (name.to_string(), bytes.to_vec()))
            .collect();
        let server = Server::new(&files, |_, _| Reply::Good);
        let folder = tempfile::tempdir().unwrap();
        let originals = Originals {
            release: release(&files),
            files,
            pixels: Vec::new(),
            labels: Vec::new(),
        };
        let error = fetch(&originals, folder.path(), &server.url)
            .run(&mut ())
            .unwrap_err();
        assert!(
            matches!(
                &error,
                Error::Idx {
                    problem: Problem::Unreadable(_),
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(names(folder.path()), ["originals"]);
    }
}

#[test]
fn originals_that_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let error = Digits::read(&Release::mnist(), folder.path()).unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error}");
}

#[test]
fn images_in_memory() {
    let digits = Digits::new((0..12).collect(), vec![1, 0, 1], 2).unwrap();
    assert_eq!((digits.len(), digits.side()), (3, 2));
    assert_eq!(digits.image(1), [4, 5, 6, 7]);
    for (pixels, labels, side) in [(11, 3, 2), (0, 0, 2), (0, 3, 0)] {
        let error = Digits::new(vec![0; pixels], vec![0; labels], side).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }
}

#[test]
fn tables_of_any_images() {
    let folder = tempfile::tempdir().unwrap();
    let files = SetFiles::in_folder(folder.path());
    let rows: [(u8, [u8; 4]); 2] = [(9, [0, 7, 42, 255]), (0, [100, 99, 10, 9])];
    let write = |existing| files.write(2, existing, rows.into_iter(), rows.into_iter(), || Ok(()));
    write(Existing::Keep).unwrap();
    let read = |path| fs::read_to_string(path).unwrap();
    assert_eq!(
        read(&files.train),
        "label,pixel0,pixel1,pixel2,pixel3\n9,0,7,42,255\n0,100,99,10,9\n"
    );
    assert_eq!(
        read(&files.test),
        "pixel0,pixel1,pixel2,pixel3\n0,7,42,255\n100,99,10,9\n"
    );
    assert_eq!(read(&files.test_labels), "ImageId,Label\n1,9\n2,0\n");
    write_submission(&files.test_labels, Existing::Replace, [3, 1]).unwrap();
    assert_eq!(read(&files.test_labels), "ImageId,Label\n1,3\n2,1\n");
    let error = write_submission(&files.test_labels, Existing::Keep, [3, 1]).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert!(matches!(write(Existing::Keep), Err(Error::Exists { .. })));
    write(Existing::Replace).unwrap();
    assert_eq!(names(folder.path()).len(), 3);
}

#[test]
#[cfg(unix)]
fn what_is_replaced_keeps_links_and_permissions() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = tempfile::tempdir().unwrap();
    let files = SetFiles::in_folder(folder.path());
    let elsewhere = folder.path().join("elsewhere.csv");
    fs::write(&elsewhere, "").unwrap();
    symlink(&elsewhere, &files.train).unwrap();
    fs::write(&files.test_labels, "").unwrap();
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(&files.test_labels, private.clone()).unwrap();
    let rows = [(9, [0_u8; 4])].into_iter();
    let write = || files.write(2, Existing::Replace, rows.clone(), rows.clone(), || Ok(()));
    write().unwrap();
    assert!(files.train.is_symlink());
    let written = fs::read_to_string(&elsewhere).unwrap();
    assert!(written.starts_with("label,pixel0"), "{written}");
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&files.test_labels), 0o600);
    fs::set_permissions(&files.test, private).unwrap();
    write_submission(&files.test, Existing::Replace, [1]).unwrap();
    assert_eq!(mode(&files.test), 0o600);
    // A folder cannot be replaced, which is said before anything is.
    fs::remove_file(&files.test).unwrap();
    fs::create_dir(&files.test).unwrap();
    let before = fs::read_to_string(&files.test_labels).unwrap();
    fs::write(&elsewhere, "old").unwrap();
    assert!(matches!(write(), Err(Error::Write { path, .. }) if path == files.test));
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "old");
    assert_eq!(fs::read_to_string(&files.test_labels).unwrap(), before);
}

#[test]
fn a_set_that_cannot_be_finished_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files = SetFiles::in_folder(folder.path());
    let whole = [(9, vec![0; 4]), (0, vec![0; 4])];
    let rows = [(9, vec![0; 4]), (0, vec![0; 3])];
    let (whole, rows) = (whole.into_iter(), rows.into_iter());
    let error = files
        .write(2, Existing::Keep, whole, rows, || Ok(()))
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::RowLength {
                row: 2,
                found: 3,
                expected: 4,
                ..
            }
        ),
        "{error}"
    );
    assert!(names(folder.path()).is_empty());

    let path = folder.path().join("missing/a.csv");
    let error = write_submission(&path, Existing::Keep, [1]).unwrap_err();
    assert!(
        matches!(&error, Error::Write { path: named, .. } if *named == path),
        "{error}"
    );
}

/// What MNIST's files must be, as many programs have it.
#[test]
fn the_release_is_described() {
    let mnist = Release::mnist();
    assert_eq!(mnist.bytes(), 11_594_722);
    for file in mnist.files() {
        assert_eq!(file.sha256.len(), 64);
        assert!(
            file.sha256
                .bytes()
                .all(|byte| b"0123456789abcdef".contains(&byte))
        );
        assert!(file.name.ends_with("-ubyte.gz"));
    }
}
