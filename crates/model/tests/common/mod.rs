//! What the tests share.

use std::io::Write;

use burn::tensor::{Device, DeviceKind};

/// A device of the wgpu backend, a software one if there is no other. Without any it is `None`,
/// and a line says that the test is skipped; with `REQUIRE_GPU_TESTS=1` the test fails instead.
pub fn wgpu_device() -> Option<Device> {
    let attempt = |kind| Device::wgpu_options().device_kind(kind).init();
    match attempt(DeviceKind::DefaultDevice).or_else(|_| attempt(DeviceKind::Cpu)) {
        Ok(device) => Some(device),
        Err(error) if std::env::var_os("REQUIRE_GPU_TESTS").is_some_and(|value| value == "1") => {
            panic!("REQUIRE_GPU_TESTS is set, but there is no GPU: {error}")
        }
        Err(error) => {
            drop(writeln!(
                std::io::stderr(),
                "skipped: there is no GPU ({error})"
            ));
            None
        }
    }
}
