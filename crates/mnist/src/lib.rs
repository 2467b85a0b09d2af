//! The real handwritten digits: MNIST downloaded and written in the form of Kaggle's files.
//!
//! MNIST is by Yann LeCun, Corinna Cortes and Christopher Burges: 70,000 grey-scale images of
//! 28×28 pixels in four files (<http://yann.lecun.com/exdb/mnist/>; Y. LeCun, L. Bottou, Y. Bengio
//! and P. Haffner, "Gradient-based learning applied to document recognition", Proceedings of the
//! IEEE 86, 1998). The images of Kaggle's Digit Recognizer are the same 70,000.
//!
//! The data take this path, file by file:
//!
//! 1. `release` says which files there are, how long they are, what their checksums are, and on
//!    which [`MIRRORS`] they lie ([`Release`]);
//! 2. `download` brings them into a folder ([`Download`]), taking up where it was interrupted, and
//!    tells an [`Observer`] how it goes;
//! 3. `idx` decodes them ([`read_images`], [`read_labels`]) into one set ([`Digits`]);
//! 4. `split` draws which images are to train on and which to predict ([`Split`]);
//! 5. `table` writes CSV files ([`SetFiles`], [`write_submission`]), and `submission` reads answers and
//!    predictions again ([`read_submission`]).
//!
//! [`Fetch`] does all of it.
//!
//! Kaggle has not published which images it put into which file, so the split is another one: a
//! `train.csv` written here holds images of Kaggle's `test.csv`. What a network trained on it
//! reaches in the competition says nothing; score it with `test-labels.csv`.

mod digits;
mod download;
mod error;
mod fetch;
mod idx;
mod release;
mod split;
mod submission;
mod table;

pub use digits::Digits;
pub use download::{Download, Next, Observer, Trouble};
pub use error::{Error, Failure, Problem, SubmissionProblem};
pub use fetch::{Fetch, Fetched, TRAINING_ROWS};
pub use idx::{read_images, read_labels};
pub use release::{MIRRORS, Release, RemoteFile};
pub use split::Split;
pub use submission::{SUBMISSION_COLUMNS, read_submission};
pub use table::{Existing, SetFiles, TEST, TEST_LABELS, TRAIN, write_images, write_submission};
