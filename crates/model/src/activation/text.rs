//! Reading and printing an activation: `leaky-relu:0.2`.

use std::fmt;
use std::str::FromStr;

use super::Activation;

/// A text that names no activation, or one with parameters that it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseActivationError {
    /// No activation has this name.
    #[error(
        "unknown activation `{name}`; the closest are {closest}; `trainer activations` lists all"
    )]
    UnknownName {
        /// The name found.
        name: String,
        /// The closest names, each in backquotes.
        closest: String,
    },
    /// More parameters than the activation has.
    #[error("`{name}` takes {}, but `{given}` has more", at_most(*.expected))]
    TooManyParameters {
        /// The activation's name.
        name: &'static str,
        /// How many parameters it has.
        expected: usize,
        /// The parameters found.
        given: String,
    },
    /// A parameter that is no finite number.
    #[error("parameter `{given}` of `{name}` is not a finite number")]
    NotANumber {
        /// The activation's name.
        name: &'static str,
        /// The parameter found.
        given: String,
    },
    /// Parameters for which the function is not defined.
    #[error("`{name}:{given}`: {requirement}")]
    OutOfDomain {
        /// The activation's name.
        name: &'static str,
        /// The parameters found.
        given: String,
        /// What they must fulfil.
        requirement: &'static str,
    },
}

impl FromStr for Activation {
    type Err = ParseActivationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (name, given) = match text.split_once(':') {
            Some((name, given)) => (name, given.split(',').map(str::trim).collect()),
            None => (text, Vec::new()),
        };
        let mut activation = Self::named(name)?;
        let name = activation.name();
        let parameters = activation.parameters_mut();
        if given.len() > parameters.len() {
            return Err(ParseActivationError::TooManyParameters {
                name,
                expected: parameters.len(),
                given: given.join(","),
            });
        }
        for (parameter, &given) in parameters.into_iter().zip(&given) {
            *parameter = match given.parse() {
                Ok(number) if f32::is_finite(number) => number,
                _ => {
                    let given = given.to_owned();
                    return Err(ParseActivationError::NotANumber { name, given });
                }
            };
        }
        match activation.violated_requirement() {
            None => Ok(activation),
            Some(requirement) => Err(ParseActivationError::OutOfDomain {
                name,
                given: given.join(","),
                requirement,
            }),
        }
    }
}

impl Activation {
    /// The activation of this name, with its default parameters.
    fn named(name: &str) -> Result<Self, ParseActivationError> {
        let wanted = compact(name);
        if let Some(activation) = Self::ALL
            .iter()
            .find(|activation| compact(activation.name()) == wanted)
        {
            return Ok(*activation);
        }
        let distance = |name: &str| strsim::levenshtein(&wanted, &compact(name));
        let mut candidates: Vec<&str> = Self::ALL.iter().map(Self::name).collect();
        let is_called_so = |name: &str| {
            let mut others = OTHER_NAMES.iter();
            others.any(|(other, of)| *of == name && compact(other) == wanted)
        };
        candidates.sort_by_key(|name| (!is_called_so(name), distance(name)));
        let closest: Vec<String> = candidates
            .iter()
            .take(3)
            .map(|name| format!("`{name}`"))
            .collect();
        Err(ParseActivationError::UnknownName {
            name: name.to_owned(),
            closest: closest.join(", "),
        })
    }

    /// What finite parameters of this activation must fulfil, if these do not.
    fn violated_requirement(self) -> Option<&'static str> {
        let (fulfilled, requirement) = match self {
            Self::Rrelu { lower, upper } if lower <= upper => {
                ((upper - lower).is_finite(), "the slopes are too far apart")
            }
            Self::Rrelu { .. } => (false, "the lower slope must not exceed the upper one"),
            // The functions divide by these; the reciprocal of a subnormal number overflows.
            Self::Celu { alpha: scale }
            | Self::Softplus { beta: scale }
            | Self::Squareplus { b: scale } => (
                scale.is_normal() && scale > 0.0,
                "the parameter must be positive, and at least 1.2e-38",
            ),
            Self::Snake { alpha } => (
                alpha.is_normal(),
                "the parameter must not be zero, and in size at least 1.2e-38",
            ),
            Self::HardShrink { lambda } | Self::SoftShrink { lambda } => {
                (lambda >= 0.0, "the parameter must not be negative")
            }
            _ => (true, ""),
        };
        (!fulfilled).then_some(requirement)
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if Self::ALL.contains(self) {
            return Ok(());
        }
        for (index, (_, parameter)) in self.parameters().iter().enumerate() {
            let separator = if index == 0 { ':' } else { ',' };
            // `Debug` is the shortest text that reads back as the same number, with an exponent
            // where the number is very large or small.
            write!(f, "{separator}{parameter:?}")?;
        }
        Ok(())
    }
}

impl From<Activation> for String {
    fn from(activation: Activation) -> Self {
        activation.to_string()
    }
}

impl TryFrom<String> for Activation {
    type Error = ParseActivationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// What else functions are called, in other libraries and in papers. These names are not read, so that
/// each function has one, but whoever tries one is told the other.
const OTHER_NAMES: [(&str, &str); 8] = [
    ("none", "identity"),
    ("linear", "identity"),
    ("logistic", "sigmoid"),
    ("lrelu", "leaky-relu"),
    ("swish", "silu"),
    ("swish", "swish-beta"),
    ("hard-silu", "hard-swish"),
    ("symmetric-relu", "hard-tanh"),
];

fn at_most(parameters: usize) -> String {
    match parameters {
        0 => String::from("no parameters"),
        1 => String::from("one parameter"),
        more => format!("at most {more} parameters"),
    }
}

/// A name without what reading ignores.
fn compact(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}
