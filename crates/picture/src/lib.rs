//! Pictures made of pixels: PNG files ([`png()`]), and contact sheets of small grey-scale images
//! ([`Sheet`]).
//!
//! PNG is written here because the `png` crate has features of `flate2` turned on that have Burn
//! compiled again for everybody, and because writing takes forty lines.

mod glyphs;
mod png;
mod sheet;

pub use png::{Channels, SIGNATURE, png};
pub use sheet::Sheet;
