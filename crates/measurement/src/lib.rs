//! What is measured inside a network, beside its score: why activation functions differ.
//!
//! ```text
//! validation images → Cnn::forward_observed → Survey  → SiteEpoch by site, effective rank
//! training batch    → loss → gradients      → gradient_norms, by site
//! probabilities, labels                     → expected_calibration_error
//! an activation function                    → cost, curve
//! ```
//!
//! The definitions are those of [`study::record`].

mod calibration;
mod cost;
mod curve;
mod gradient;
mod moments;
mod rank;
mod survey;

pub use calibration::expected_calibration_error;
pub use cost::{Cost, cost};
pub use curve::curve;
pub use gradient::{GradientTally, gradient_norms};
pub use rank::effective_rank;
pub use survey::{Survey, Surveyed, SurveyedSite};
