//! MNIST's own format: a header of big-endian numbers, then bytes
//! (<http://yann.lecun.com/exdb/mnist/>, "The IDX file format").

use std::io::Read;

use crate::error::{Error, Problem};

/// Unsigned bytes (8) in one dimension, and in three.
const LABELS: [u8; 4] = [0, 0, 8, 1];
const IMAGES: [u8; 4] = [0, 0, 8, 3];

/// Reads an IDX file of images, uncompressed: the pixels of all images, each from the top left,
/// line by line, and height and width of one image. `file` names it in errors.
///
/// # Errors
///
/// [`Error::Idx`] if the file cannot be read, is cut short, goes on after its end, is empty, or
/// holds something else than square images.
pub fn read_images(mut reader: impl Read, file: &str) -> Result<(Vec<u8>, usize), Error> {
    let error = |problem| Error::Idx {
        file: file.into(),
        problem,
    };
    let [count, rows, columns] = header(&mut reader, IMAGES).map_err(error)?;
    if rows != columns {
        return Err(error(Problem::Side {
            rows,
            columns,
            expected: "square ones".into(),
        }));
    }
    let pixels = body(&mut reader, [count, rows, columns], 16).map_err(error)?;
    Ok((pixels, rows as usize))
}

/// Reads an IDX file of labels, uncompressed. `file` names it in errors.
///
/// # Errors
///
/// [`Error::Idx`] if the file cannot be read, is cut short, goes on after its end, is empty, or
/// holds something else than labels.
pub fn read_labels(mut reader: impl Read, file: &str) -> Result<Vec<u8>, Error> {
    let labels =
        header(&mut reader, LABELS).and_then(|[count]| body(&mut reader, [count, 1, 1], 8));
    labels.map_err(|problem| Error::Idx {
        file: file.into(),
        problem,
    })
}

/// The sizes in the header of a file that begins with `expected`.
fn header<const DIMENSIONS: usize>(
    reader: &mut impl Read,
    expected: [u8; 4],
) -> Result<[u32; DIMENSIONS], Problem> {
    let length = 4 + 4 * DIMENSIONS as u64;
    let mut bytes = Vec::new();
    let mut start = reader.take(length);
    start.read_to_end(&mut bytes).map_err(Problem::Unreadable)?;
    let (words, _) = bytes.as_chunks::<4>();
    // A file of another kind may be shorter than this header: say what it is not first.
    if let Some(&found) = words.first()
        && found != expected
    {
        return Err(Problem::Magic { found, expected });
    }
    let sizes = words.get(1..).and_then(<[_]>::first_chunk::<DIMENSIONS>);
    let sizes = sizes.ok_or(Problem::Short {
        found: bytes.len() as u64,
        expected: length,
    })?;
    Ok(sizes.map(u32::from_be_bytes))
}

/// The bytes after a header of length `header`, all that there are.
fn body(reader: &mut impl Read, sizes: [u32; 3], header: u64) -> Result<Vec<u8>, Problem> {
    let [count, rows, columns] = sizes;
    let expected = sizes
        .iter()
        .try_fold(1_u64, |product, &size| product.checked_mul(u64::from(size)))
        .filter(|&length| (1..=u64::from(u32::MAX)).contains(&length))
        .ok_or(Problem::Size {
            count,
            rows,
            columns,
        })?;
    // Memory grows with what is there, not with what the header promises.
    let mut bytes = Vec::new();
    reader
        .take(expected + 1)
        .read_to_end(&mut bytes)
        .map_err(Problem::Unreadable)?;
    let found = bytes.len() as u64;
    if found < expected {
        return Err(Problem::Short {
            found: header + found,
            expected: header + expected,
        });
    }
    if found > expected {
        return Err(Problem::Long {
            expected: header + expected,
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_IMAGES: [u8; 24] = [
        0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 255,
    ];
    const THREE_LABELS: [u8; 11] = [0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9];

    fn problem<T>(result: Result<T, Error>) -> Problem {
        match result {
            Err(Error::Idx { problem, .. }) => problem,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("the file was taken"),
        }
    }

    #[test]
    fn whole_files() {
        let (pixels, side) = read_images(TWO_IMAGES.as_slice(), "a").unwrap();
        assert_eq!((pixels, side), (vec![1, 2, 3, 4, 5, 6, 7, 255], 2));
        let labels = read_labels(THREE_LABELS.as_slice(), "b").unwrap();
        assert_eq!(labels, [7, 0, 9]);
    }

    #[test]
    fn cut_anywhere() {
        for length in 0..TWO_IMAGES.len() {
            let found = problem(read_images(&TWO_IMAGES[..length], "a"));
            let expected = if length < 16 { 16 } else { 24 };
            assert!(
                matches!(found, Problem::Short { found, expected: e } if (found, e) == (length as u64, expected)),
                "{length}: {found}"
            );
        }
        for length in 0..THREE_LABELS.len() {
            let found = problem(read_labels(&THREE_LABELS[..length], "b"));
            assert!(matches!(found, Problem::Short { .. }), "{length}: {found}");
        }
    }

    #[test]
    fn going_on_after_the_end() {
        let mut long = TWO_IMAGES.to_vec();
        long.push(0);
        let found = problem(read_images(long.as_slice(), "a"));
        assert!(matches!(found, Problem::Long { expected: 24 }), "{found}");
    }

    #[test]
    fn files_of_another_kind() {
        let error = read_images(THREE_LABELS.as_slice(), "a").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a: found [00, 00, 08, 01] at the start, expected [00, 00, 08, 03]; remove the file \
             and download it again"
        );
        let found = problem(read_labels(b"<html>".as_slice(), "b"));
        assert!(matches!(found, Problem::Magic { .. }), "{found}");
    }

    #[test]
    fn sizes_that_cannot_be() {
        let mut file = TWO_IMAGES;
        file[7] = 0;
        let found = problem(read_images(file.as_slice(), "a"));
        assert!(matches!(found, Problem::Size { count: 0, .. }), "{found}");
        // Three sizes whose product does not fit into 64 bits.
        file[4..16].fill(0xff);
        let found = problem(read_images(file.as_slice(), "a"));
        assert!(matches!(found, Problem::Size { .. }), "{found}");
        // The largest count with no data behind it must not take memory for them.
        let found = problem(read_labels(
            [0, 0, 8, 1, 255, 255, 255, 255].as_slice(),
            "b",
        ));
        assert!(matches!(found, Problem::Short { .. }), "{found}");
        let mut file = TWO_IMAGES;
        file[15] = 1;
        let found = problem(read_images(file.as_slice(), "a"));
        assert!(
            matches!(
                found,
                Problem::Side {
                    rows: 2,
                    columns: 1,
                    ..
                }
            ),
            "{found}"
        );
    }

    #[test]
    fn readers_that_fail() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("no"))
            }
        }
        let found = problem(read_images(TWO_IMAGES[..20].chain(Broken), "a"));
        assert!(matches!(found, Problem::Unreadable(_)), "{found}");
    }
}
