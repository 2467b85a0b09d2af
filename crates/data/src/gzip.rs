//! Files compressed with gzip.

use std::io::{self, BufRead, Read};
use std::mem;

use flate2::bufread::GzDecoder;

/// What a gzip file holds: its members, one after the other. Zeros behind them, with which some programs fill
/// up the last block, are left alone, as `gzip` itself does.
pub(crate) struct GzipReader<R> {
    place: Place<R>,
}

/// Where a reader is. Kept when a read fails, so that it can be tried again.
enum Place<R> {
    /// In a member.
    Within(Box<GzDecoder<R>>),
    /// Behind a member, before what follows it.
    Behind(R),
    /// At the end.
    End,
}

impl<R: BufRead> GzipReader<R> {
    /// Reads a compressed file from its beginning.
    pub fn new(file: R) -> Self {
        Self {
            place: Place::Within(Box::new(GzDecoder::new(file))),
        }
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match &mut self.place {
                Place::Within(member) => {
                    let length = member.read(buffer)?;
                    if length > 0 || buffer.is_empty() {
                        return Ok(length);
                    }
                }
                Place::Behind(rest) => {
                    if !skip_zeros(rest)? {
                        self.place = Place::End;
                    }
                }
                Place::End => return Ok(0),
            }
            self.place = match mem::replace(&mut self.place, Place::End) {
                Place::Within(member) => Place::Behind(member.into_inner()),
                Place::Behind(rest) => Place::Within(Box::new(GzDecoder::new(rest))),
                Place::End => Place::End,
            };
        }
    }
}

/// Goes on to the first byte that is not zero; `false` if there is none.
fn skip_zeros(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(false);
        }
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        let is_found = zeros < bytes.len();
        reader.consume(zeros);
        if is_found {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Gives a byte at a time, and is interrupted before each.
    struct Interrupted<'a> {
        bytes: &'a [u8],
        is_next: bool,
    }

    impl Read for Interrupted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.fill_buf()?.len().min(buffer.len());
            buffer[..length].copy_from_slice(&self.bytes[..length]);
            self.consume(length);
            Ok(length)
        }
    }

    impl BufRead for Interrupted<'_> {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            self.is_next = !self.is_next;
            if self.is_next {
                return Err(ErrorKind::Interrupted.into());
            }
            Ok(&self.bytes[..self.bytes.len().min(1)])
        }

        fn consume(&mut self, length: usize) {
            self.bytes = &self.bytes[length..];
        }
    }

    #[test]
    fn an_interruption_between_members_loses_nothing() {
        let mut file = Vec::new();
        for text in ["label,", "pixel0"] {
            let mut encoder = GzEncoder::new(&mut file, Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap();
        }
        file.extend([0; 3]);
        let mut reader = GzipReader::new(Interrupted {
            bytes: &file,
            is_next: false,
        });
        let mut text = String::new();
        // Tries again when interrupted.
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "label,pixel0");
    }
}
