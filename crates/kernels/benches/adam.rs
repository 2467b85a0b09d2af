//! Adam's step: time per parameter, and the share of the rate at which the machine copies as many bytes.
//! Its moments change in place, which moves less memory than a copy from one place to another.
//!
//!     cargo bench -p kernels --bench adam --profile dev [-- avx2 portable]

mod measure;

use kernels::adam::Adam;
use kernels::buffer::Buffer;

use measure::{Bound, CACHED, Machine, print_head, print_tables};

const ADAM: Adam = Adam {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weight_decay: 0.01,
};

/// Read: parameter, gradient and two moments; written: parameter and moments.
const BYTES: usize = 7 * 4;

fn main() {
    print_tables(print_table);
}

fn print_table(machine: &mut Machine) {
    print_head(&["parameters", "ns per parameter", "share of copy"]);
    // Its five slices are within the second-level cache, and beyond all caches.
    print_row(machine, "16,384, in cache", CACHED, Bound::CachedBytes);
    print_row(
        machine,
        "4,194,304, beyond the caches",
        1 << 22,
        Bound::Bytes,
    );
}

fn print_row(machine: &mut Machine, name: &str, len: usize, bound: fn(f64) -> Bound) {
    let isa = machine.isa;
    let zeros = || Buffer::zeros(len);
    let (parameter, mut updated, mut first, mut second) = (zeros(), zeros(), zeros(), zeros());
    let mut gradient = zeros();
    for (i, x) in gradient.iter_mut().enumerate() {
        *x = (i as f32 * 0.7).sin();
    }
    let measured = machine.measure_repeated(bound((BYTES * len) as f64), || {
        let moments = [&mut first[..], &mut second[..]];
        ADAM.step(isa, 1e-3, 10, &parameter, &mut updated, &gradient, moments);
    });
    println!("| {name} | {} |", measured.cells(len, 1e-9, 3));
}
