//! Pixels as a PNG file: ISO/IEC 15948.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

/// What every PNG file begins with.
pub const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// What a pixel is made of, 8 bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// Black (0) to white (255).
    Grey,
    /// Red, green and blue.
    Rgb,
}

impl Channels {
    fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }

    /// The standard's colour type.
    fn code(self) -> u8 {
        match self {
            Self::Grey => 0,
            Self::Rgb => 2,
        }
    }
}

/// An opaque picture as a PNG file. `pixels` go from the top left, line by line.
///
/// # Panics
///
/// If there are no pixels, or not as many as `width × height` have.
pub fn png(width: u32, height: u32, channels: Channels, pixels: &[u8]) -> Vec<u8> {
    let line = width as usize * channels.count();
    assert!(line > 0 && height > 0, "a picture of {width}×{height}");
    assert_eq!(pixels.len(), line * height as usize, "pixels");
    // Each as its difference to the one above (filter 2), which is mostly zero.
    let mut lines = Vec::with_capacity((line + 1) * height as usize);
    let mut above = &vec![0; line][..];
    for pixels in pixels.chunks_exact(line) {
        lines.push(2);
        let differences = pixels
            .iter()
            .zip(above)
            .map(|(p, above)| p.wrapping_sub(*above));
        lines.extend(differences);
        above = pixels;
    }

    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, channels.code(), 0, 0, 0]);
    let mut file = SIGNATURE.to_vec();
    for (kind, data) in [
        (b"IHDR", header),
        (b"IDAT", compress(&lines)),
        (b"IEND", Vec::new()),
    ] {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(&data);
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(kind);
        file.extend(&data);
        file.extend(crc.sum().to_be_bytes());
    }
    file
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let compressed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    compressed.expect("writing to memory does not fail")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;
    use proptest::prelude::*;

    use super::*;

    /// Width, height and pixels of a file of ours.
    pub(crate) fn decode(file: &[u8], channels: Channels) -> (u32, u32, Vec<u8>) {
        assert_eq!(file[..8], SIGNATURE);
        let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!((number(8), &file[12..16]), (13, b"IHDR".as_slice()));
        let (width, height) = (number(16), number(20));
        assert_eq!(file[24..29], [8, channels.code(), 0, 0, 0]);
        let length = number(33) as usize;
        assert_eq!(&file[37..41], b"IDAT");
        let mut lines = Vec::new();
        ZlibDecoder::new(&file[41..41 + length])
            .read_to_end(&mut lines)
            .unwrap();
        let line = width as usize * channels.count();
        let mut pixels: Vec<u8> = Vec::new();
        for filtered in lines.chunks_exact(line + 1) {
            assert_eq!(filtered[0], 2);
            let start = pixels.len();
            for (place, difference) in filtered[1..].iter().enumerate() {
                let above = start.checked_sub(line).map_or(0, |up| pixels[up + place]);
                pixels.push(above.wrapping_add(*difference));
            }
        }
        (width, height, pixels)
    }

    proptest! {
        #[test]
        fn pixels_come_back(width in 1_u32..20, height in 1_u32..20, seed: u32, rgb: bool) {
            let channels = if rgb { Channels::Rgb } else { Channels::Grey };
            let count = (width * height) as usize * channels.count();
            let pixels: Vec<u8> = (0..count as u32)
                .map(|i| (i ^ seed).wrapping_mul(2_654_435_761).to_be_bytes()[0])
                .collect();
            let file = png(width, height, channels, &pixels);
            prop_assert_eq!(decode(&file, channels), (width, height, pixels));
        }
    }

    /// The checksums are `zlib.crc32`'s in Python.
    #[test]
    fn header_and_end_are_the_standards() {
        let file = png(1, 1, Channels::Grey, &[0]);
        assert_eq!(
            file[8..33],
            *b"\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55"
        );
        assert_eq!(file[file.len() - 12..], *b"\0\0\0\0IEND\xae\x42\x60\x82");
    }
}
