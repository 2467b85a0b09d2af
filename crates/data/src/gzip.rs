//! Files compressed with gzip.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// What a gzip file holds: its members, one after the other. Zeros behind them, with which some programs fill
/// up the last block, are left alone, as `gzip` itself does.
pub(crate) struct GzipReader<R> {
    /// The member that is being read; `None` after the last one.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> GzipReader<R> {
    /// Reads a compressed file from its beginning.
    pub fn new(file: R) -> Self {
        Self {
            member: Some(GzDecoder::new(file)),
        }
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let length = member.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            if let Some(ended) = self.member.take() {
                let mut rest = ended.into_inner();
                skip_zeros(&mut rest)?;
                let is_over = rest.fill_buf()?.is_empty();
                self.member = (!is_over).then(|| GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

/// Goes on to the first byte that is not zero.
fn skip_zeros(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = reader.fill_buf()?;
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        let goes_on = zeros == bytes.len() && zeros > 0;
        reader.consume(zeros);
        if !goes_on {
            return Ok(());
        }
    }
}
