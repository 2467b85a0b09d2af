//! Which processor computes, and whether it is there.

use std::fmt;

use burn::tensor::{Device, DeviceKind};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// One of Burn's backends, or the choice of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// A real GPU if there is one, else flex
    #[default]
    Auto,
    /// CPU, Burn's fast pure-Rust backend
    Flex,
    /// CPU, Burn's older backend on the ndarray crate
    Ndarray,
    /// GPU through WebGPU: Vulkan, Metal or DirectX 12
    Wgpu,
    /// GPU through Vulkan alone (needs the cargo feature `vulkan`)
    Vulkan,
    /// GPU through Metal alone (needs the cargo feature `metal`)
    Metal,
    /// NVIDIA GPU through CUDA (needs the cargo feature `cuda`)
    Cuda,
}

/// A backend that is ready to compute.
#[derive(Clone, Debug)]
pub struct Processor {
    /// The backend; never [`Backend::Auto`].
    pub backend: Backend,
    /// Burn's handle, without autodiff.
    pub device: Device,
    /// What the device is called: `CPU` or the GPU's name.
    pub name: String,
    /// The device computes on the CPU what a GPU should.
    pub software: bool,
}

/// Why a backend cannot be used here, and what can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// The program was built without it.
    #[error(
        "this build has no `{0}` backend; build it with `cargo run -p trainer --features {0}`, or use --backend {1}"
    )]
    NotBuilt(Backend, Available),
    /// There is no device for it.
    #[error(
        "no device for `{backend}`: {reason}; install a {driver} driver (Debian's package mesa-vulkan-drivers has one in software), or use --backend {available}"
    )]
    NoDevice {
        /// The backend asked for.
        backend: Backend,
        /// What its driver says.
        reason: String,
        /// Which kind of driver it needs.
        driver: &'static str,
        /// What works on every machine.
        available: Available,
    },
}

/// The backends that work on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Available;

impl fmt::Display for Available {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("flex or ndarray")
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

impl Backend {
    /// Opens the backend's device.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the backend is not built in or finds no device. [`Backend::Auto`]
    /// always finds one.
    pub fn open(self) -> Result<Processor, BackendError> {
        match self {
            Self::Auto => Ok(Self::Wgpu.open_gpu(gpus()).unwrap_or_else(|_| flex())),
            Self::Flex => Ok(flex()),
            // 0.22 is the last release with this backend, and marks it as deprecated.
            #[allow(deprecated)]
            Self::Ndarray => Ok(cpu(self, Device::ndarray())),
            // Asked for by name, a software device will do where there is no other.
            Self::Wgpu | Self::Vulkan | Self::Metal => {
                self.open_gpu(&[gpus(), &[DeviceKind::Cpu]].concat())
            }
            Self::Cuda => self.open_cuda(),
        }
    }

    /// The first of `kinds` that there is.
    fn open_gpu(self, kinds: &[DeviceKind]) -> Result<Processor, BackendError> {
        let mut reason = String::from("no graphics adapter found");
        for kind in kinds {
            match self.open_kind(kind.clone()) {
                Some(Ok(device)) => {
                    let software = *kind == DeviceKind::Cpu;
                    let name = device
                        .identity()
                        .map_or_else(|| String::from("GPU"), |identity| identity.name.to_string());
                    return Ok(Processor {
                        backend: self,
                        device,
                        name,
                        software,
                    });
                }
                Some(Err(error)) => reason = error,
                None => return Err(BackendError::NotBuilt(self, Available)),
            }
        }
        // The driver's text may have several lines.
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        Err(BackendError::NoDevice {
            backend: self,
            reason,
            driver: "Vulkan, Metal or DirectX 12",
            available: Available,
        })
    }

    /// The device of `kind`; `None` if the backend is not built in.
    fn open_kind(self, kind: DeviceKind) -> Option<Result<Device, String>> {
        use burn::tensor::wgpu::WgpuBackend;
        let api = match self {
            Self::Wgpu => WgpuBackend::Auto,
            #[cfg(feature = "vulkan")]
            Self::Vulkan => WgpuBackend::Vulkan,
            #[cfg(feature = "metal")]
            Self::Metal => WgpuBackend::Metal,
            _ => return None,
        };
        let options = Device::wgpu_options().device_kind(kind).graphics_api(api);
        Some(options.init().map_err(|error| error.to_string()))
    }

    #[cfg(feature = "cuda")]
    fn open_cuda(self) -> Result<Processor, BackendError> {
        use burn::tensor::DeviceType;
        match Device::enumerate(DeviceType::Cuda)
            .into_vec()
            .into_iter()
            .next()
        {
            Some(device) => Ok(Processor {
                backend: self,
                name: device.identity().map_or_else(
                    || String::from("CUDA GPU"),
                    |identity| identity.name.to_string(),
                ),
                device,
                software: false,
            }),
            None => Err(BackendError::NoDevice {
                backend: self,
                reason: String::from("no CUDA device found"),
                driver: "CUDA",
                available: Available,
            }),
        }
    }

    #[cfg(not(feature = "cuda"))]
    fn open_cuda(self) -> Result<Processor, BackendError> {
        Err(BackendError::NotBuilt(self, Available))
    }
}

/// Kinds of real GPUs to look for, best first.
///
/// None on a Linux machine without the device file of any: asking the graphics drivers takes time,
/// and Mesa's complain on stderr where there is no desktop.
fn gpus() -> &'static [DeviceKind] {
    const DEVICE_FILES: [&str; 4] = ["/dev/dri", "/dev/nvidiactl", "/dev/dxg", "/dev/kgsl-3d0"];
    let absent = |path: &&str| !std::path::Path::new(path).exists();
    if cfg!(target_os = "linux") && DEVICE_FILES.iter().all(absent) {
        return &[];
    }
    &[
        DeviceKind::DiscreteGpu(0),
        DeviceKind::IntegratedGpu(0),
        DeviceKind::VirtualGpu(0),
    ]
}

fn flex() -> Processor {
    cpu(Backend::Flex, Device::flex())
}

fn cpu(backend: Backend, device: Device) -> Processor {
    Processor {
        backend,
        device,
        name: String::from("CPU"),
        software: false,
    }
}

impl Processor {
    /// Whether the machine's CPU computes, and not by way of a GPU's driver.
    pub fn is_cpu(&self) -> bool {
        matches!(self.backend, Backend::Flex | Backend::Ndarray)
    }
}

impl fmt::Display for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.backend, self.name)?;
        if self.software {
            f.write_str(" (a GPU emulated in software: very slow; for checks only)")?;
        }
        Ok(())
    }
}
