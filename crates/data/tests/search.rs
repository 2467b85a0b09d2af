//! The search of `data/` below the current folder, which belongs to the whole process: hence a
//! program of its own with one test.

use std::fs;
use std::path::Path;

use burn::data::dataset::Dataset;
use data::{Error, Source};

#[test]
fn data_below_the_current_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::env::set_current_dir(folder.path()).unwrap();

    let drawn = data::training_images(None).unwrap();
    assert_eq!(
        (drawn.len(), drawn.side(), drawn.classes()),
        (42_000, 28, 10)
    );
    assert_eq!(drawn.source(), &Source::BuiltIn { named: false });
    assert_eq!(
        drawn.to_string(),
        "no train.csv in data/: training on 42,000 built-in digits drawn by this program; for the \
         real ones run `trainer data fetch`, or put Kaggle's digit-recognizer.zip into data/"
    );
    let named = data::training_images(Some(Path::new(data::BUILT_IN))).unwrap();
    assert_eq!(
        named.to_string(),
        "built-in digits: 42,000 labelled 28×28 images, 10 classes"
    );
    assert_eq!(
        drawn.fingerprint(),
        data::built_in_images(0..42_000).fingerprint()
    );
    let advice = "; put digit-recognizer.zip there, get MNIST by `trainer data fetch`, or name";
    let error = data::test_images(None).unwrap_err();
    assert!(matches!(error, Error::NotInFolder { .. }), "{error}");
    assert!(error.to_string().contains(advice), "{error}");

    fs::create_dir("data").unwrap();
    let error = data::test_images(Some(Path::new("data/"))).unwrap_err();
    assert!(error.to_string().contains(advice), "{error}");
    fs::write("data/train.csv", "pixel1,label\n7,0\n").unwrap();
    let found = data::training_images(None).unwrap();
    assert_eq!(
        found.to_string(),
        "data/train.csv: 1 labelled 1×1 image, 1 class"
    );

    // What is there but wrong is not replaced in silence.
    fs::write("data/train.csv", "").unwrap();
    let error = data::training_images(None).unwrap_err();
    assert!(matches!(error, Error::Empty { .. }), "{error}");
}
