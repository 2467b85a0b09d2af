//! The contenders as functions, sampled by the trainer.

/// The functions of a study's contenders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// One for each contender that is a function of a single number (the softmax is none).
    pub contenders: Vec<Curve>,
}

/// f and f′ of one contender on a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Name of the contender.
    pub contender: String,
    /// f(x) in words, for captions.
    pub formula: Option<String>,
    /// The grid, in ascending order: from −6 to 6 in 241 steps, for example.
    pub x: Vec<f64>,
    /// f at every x.
    pub f: Vec<f64>,
    /// f′ at every x.
    pub derivative: Vec<f64>,
}

impl Curves {
    /// The functions of a contender.
    pub fn get(&self, contender: &str) -> Option<&Curve> {
        self.contenders
            .iter()
            .find(|curve| curve.contender == contender)
    }
}
