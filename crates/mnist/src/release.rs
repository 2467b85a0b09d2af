//! Which files there are.

/// Where MNIST's files can be had: public copies kept for PyTorch and for TensorFlow.
///
/// They are asked in this order. It does not matter who sends a file: checksums decide.
pub const MIRRORS: [&str; 2] = [
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
];

/// A file as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its name below a mirror's address, and in the folder of downloads.
    pub name: String,
    /// Its length in bytes, compressed as it is sent.
    pub bytes: u64,
    /// SHA-256 of these bytes, in lower-case hexadecimal digits.
    pub sha256: String,
}

impl RemoteFile {
    fn new(name: &str, bytes: u64, sha256: &str) -> Self {
        Self {
            name: name.into(),
            bytes,
            sha256: sha256.into(),
        }
    }
}

/// The four files of a data set in MNIST's form: IDX, compressed with gzip.
///
/// Which images a file calls training or test images makes no difference here: they are put
/// together and split anew ([`crate::Split`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Images to train on.
    pub training_images: RemoteFile,
    /// Their classes, in the same order.
    pub training_labels: RemoteFile,
    /// Images to test with.
    pub test_images: RemoteFile,
    /// Their classes, in the same order.
    pub test_labels: RemoteFile,
}

impl Release {
    /// MNIST as published: 60,000 and 10,000 images, 11.6 MB.
    pub fn mnist() -> Self {
        Self {
            training_images: RemoteFile::new(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            training_labels: RemoteFile::new(
                "train-labels-idx1-ubyte.gz",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            test_images: RemoteFile::new(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            test_labels: RemoteFile::new(
                "t10k-labels-idx1-ubyte.gz",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        }
    }

    /// The files, in the order in which they are downloaded.
    pub fn files(&self) -> [&RemoteFile; 4] {
        [
            &self.training_images,
            &self.training_labels,
            &self.test_images,
            &self.test_labels,
        ]
    }

    /// The length of all files, in bytes.
    pub fn bytes(&self) -> u64 {
        self.files().iter().map(|file| file.bytes).sum()
    }
}
