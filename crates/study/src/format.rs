//! Numbers and names as readers want them.

use statistics::Interval;

/// With so many decimals, a true minus sign, and no minus in front of nothing but zeros.
pub(crate) fn decimals(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|b| matches!(b, b'0' | b'.')) => digits.to_owned(),
        Some(digits) => format!("−{digits}"),
        None => text,
    }
}

/// A share in per cent: `99.10 %`.
pub(crate) fn percent(share: f64, places: usize) -> String {
    format!("{} %", decimals(100.0 * share, places))
}

/// An accuracy that somebody chose, in per cent, with as many decimals as it has, at least one: `97.0 %`.
pub(crate) fn chosen_accuracy(accuracy: f64) -> String {
    let percentage = 100.0 * accuracy;
    let is_told = |places: &i32| {
        let scale = 10_f64.powi(*places);
        ((percentage * scale).round() / scale - percentage).abs() < 1e-9
    };
    let places = (1..6).find(is_told).unwrap_or(6);
    percent(accuracy, places as usize)
}

/// The confidence that goes with a level: `95 %` with 0.05.
pub(crate) fn confidence(level: f64) -> String {
    // Rounded, as 1 − 0.05 is not quite 0.95.
    format!("{} %", (1e5 * (1.0 - level)).round() / 1e3)
}

/// An interval behind what it is of, after a blank: ` [0.40, 0.44]`; empty where there is none.
pub(crate) fn brackets(interval: Option<Interval>, number: impl Fn(f64) -> String) -> String {
    interval.map_or_else(String::new, |interval| {
        let [lower, upper] = [interval.lower, interval.upper].map(number);
        format!(" [{lower}, {upper}]")
    })
}

/// So many significant digits, with a power of ten where that is shorter: `0.1234`, `1.234e−7`.
pub(crate) fn scientific(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return String::from("0");
    }
    if !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor();
    if (-4.0..6.0).contains(&magnitude) {
        let places = (digits as f64 - 1.0 - magnitude).max(0.0);
        decimals(value, places as usize)
    } else {
        let places = digits.saturating_sub(1);
        format!("{value:.places$e}").replace('-', "−")
    }
}

/// A p-value: `p < 0.001`, `p = 0.032`.
pub(crate) fn p_value(p_value: f64) -> String {
    match p_number(p_value) {
        small if small.starts_with('<') => format!("p {small}"),
        number => format!("p = {number}"),
    }
}

/// A p-value under a heading that says so: `< 0.001`, `0.032`.
pub(crate) fn p_number(p_value: f64) -> String {
    if p_value < 0.001 {
        String::from("< 0.001")
    } else {
        format!("{p_value:.3}")
    }
}

/// `1 run`, `10 runs`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", grouped(number)),
    }
}

/// A number with a comma between thousands: `42,000`.
pub(crate) fn grouped(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}

/// `relu (depth 8)`; the name alone where there is one place only.
pub(crate) fn with_place(name: &str, place: &str) -> String {
    match place {
        "" => name.to_owned(),
        place => format!("{name} ({place})"),
    }
}

/// With a capital letter first.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// A name that is good for a file everywhere: `leaky-relu:0.2` becomes `leaky-relu-0.2`.
pub(crate) fn file_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let kept = c.is_ascii_alphanumeric() || c == '.';
        if kept {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.trim_matches(['-', '.']).to_owned()
}

/// The texts as names of files that all differ: where two would be the same, or one would be nothing, it
/// gets its number.
pub(crate) fn file_names<T: AsRef<str>>(texts: &[T]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (number, text) in (1..).zip(texts) {
        let mut name = file_name(text.as_ref());
        if name.is_empty() || names.contains(&name) {
            name = file_name(&format!("{name} no {number}"));
        }
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_readers() {
        assert_eq!(decimals(-0.001, 2), "0.00");
        assert_eq!(count(1_000_020, "image"), "1,000,020 images");
        assert_eq!(grouped(999), "999");
        assert_eq!(decimals(-1.5, 1), "−1.5");
        assert_eq!(percent(0.991, 2), "99.10 %");
        assert_eq!(chosen_accuracy(0.97), "97.0 %");
        assert_eq!(chosen_accuracy(0.9985), "99.85 %");
        assert_eq!(chosen_accuracy(0.9999), "99.99 %");
        assert_eq!(chosen_accuracy(1.0), "100.0 %");
        let interval = Interval {
            lower: -0.4,
            upper: 0.44,
            confidence: 0.95,
        };
        let number = |end| decimals(end, 1);
        assert_eq!(brackets(Some(interval), number), " [−0.4, 0.4]");
        assert_eq!(brackets(None, number), "");
        assert_eq!(scientific(0.123_456, 4), "0.1235");
        assert_eq!(scientific(1.234e-7, 4), "1.234e−7");
        assert_eq!(scientific(0.0, 4), "0");
        assert_eq!(p_value(0.0004), "p < 0.001");
        assert_eq!(count(1, "run"), "1 run");
        assert_eq!(file_name("Leaky ReLU: 0.2"), "leaky-relu-0.2");
        assert_eq!(file_name("../x"), "x");
        assert_eq!(capital("test ece"), "Test ece");
        assert_eq!(confidence(0.05), "95 %");
        assert_eq!(confidence(0.001), "99.9 %");
        assert_eq!(
            file_names(&["a/b", "a b", "", "ä"]),
            ["a-b", "a-b-no-2", "no-3", "no-4"]
        );
    }
}
