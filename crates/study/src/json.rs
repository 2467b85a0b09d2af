//! JSON that comes back as it was written.
//!
//! `serde_json` reads some numbers with an error in the last bit. Twelve significant digits are more
//! than any result has, and those do come back: written, read and written again, a file stays the
//! same byte for byte.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

/// `value` as readable JSON: objects with a line per entry, lists of numbers on one line, floats with
/// twelve significant digits. Numbers that are not finite become `null`.
pub(crate) fn to_bytes(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(
        &mut bytes,
        Layout::default(),
    ))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// `value` with twelve significant digits.
pub(crate) fn rounded(value: f64) -> f64 {
    // Rust reads its own numbers exactly.
    format!("{value:.11e}").parse().unwrap_or(value)
}

#[derive(Default)]
struct Layout {
    depth: usize,
    /// Whether the object that was closed or is open has entries.
    has_entries: bool,
}

impl Layout {
    fn line<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }
}

impl Formatter for Layout {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        write!(writer, "{:?}", rounded(value))
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        self.has_entries = false;
        writer.write_all(b"{")
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.line(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_entries = true;
        Ok(())
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.has_entries {
            self.line(writer)?;
        }
        writer.write_all(b"}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn readable() {
        let value = json!({"a": [1, 2.5, {"b": null}], "c": {}, "d": [], "e": 1e-7});
        let text = String::from_utf8(to_bytes(&value).unwrap()).unwrap();
        let expected = "{\n  \"a\": [1, 2.5, {\n    \"b\": null\n  }],\n  \"c\": {},\n  \"d\": [],\n  \"e\": 1e-7\n}\n";
        assert_eq!(text, expected);
    }

    proptest! {
        #[test]
        fn written_read_and_written_again_is_the_same(numbers: Vec<f64>) {
            let once = to_bytes(&numbers).unwrap();
            let read: Vec<Option<f64>> = serde_json::from_slice(&once).unwrap();
            prop_assert_eq!(&once, &to_bytes(&read).unwrap());
            let any: Value = serde_json::from_slice(&once).unwrap();
            prop_assert_eq!(once, to_bytes(&any).unwrap());
        }
    }
}
