//! Studies: which runs it takes to compare activation functions fairly, what they leave behind, and what
//! follows from it. Everything of a study but the training.
//!
//! The way through, file by file:
//!
//! 1. `definition` reads what is asked from a TOML file ([`Study`]);
//! 2. `plan` lists the runs that it takes ([`Plan`]), each as fields of a run's configuration
//!    ([`RunSpec`]); `id` names a run by its whole configuration ([`id_of`]);
//! 3. `leases` keeps two processes from making the same run ([`Leases`]);
//! 4. `record` is what a run leaves ([`RunRecord`]), `store` the folder that it goes to ([`Store`]);
//! 5. `analysis` draws conclusions from the records ([`Analysis`](analysis::Analysis)), by a `metric`
//!    ([`Metric`]);
//! 6. `figures` draws them, `report` writes page, text, table and figures ([`report::write`]).
//!
//! The trainer makes the runs. `configuration` below stands for its part: the whole configuration of a
//! run in one spelling, from the fields that the study sets; `train` for the training itself.
//!
//! ```no_run
//! # use std::{path::Path, time::Duration};
//! # use study::{Curves, Lease, Plan, RunRecord, RunSpec, Start, Store, Study, id_of, report};
//! # fn configuration(_: &toml::Table) -> toml::Table { unimplemented!() }
//! # fn train(_: &RunSpec, _: &toml::Table, _: &Lease) -> RunRecord { unimplemented!() }
//! let study = Study::read(Path::new("experiments/tutorial.toml"))?;
//! let plan = Plan::new(&study)?;
//! let base = configuration(&toml::Table::new());
//! let store = Store::create(Path::new("experiments/studies/tutorial"), &base)?;
//! let leases = store.leases(Duration::from_secs(120))?;
//! loop {
//!     let pending = plan.pending(&store.records()?);
//!     if pending.is_empty() {
//!         break;
//!     }
//!     let mut all_taken = true;
//!     for spec in pending {
//!         let configuration = configuration(&spec.overrides);
//!         match store.start(&leases, &id_of(&configuration), &spec)? {
//!             Start::Mine(lease) => store.save(&train(&spec, &configuration, &lease))?,
//!             Start::Done => {}
//!             Start::Taken => continue,
//!         }
//!         all_taken = false;
//!     }
//!     if all_taken {
//!         // Others are at work, and one of them may die.
//!         std::thread::sleep(Duration::from_secs(1));
//!     }
//! }
//! let records = store.records_of("tutorial")?;
//! store.merge("tutorial", &plan, &records)?;
//! let command = "trainer study report experiments/tutorial.toml";
//! let folder = Path::new("experiments/results/tutorial");
//! let curves = Curves::default();
//! let written = report::write(&plan, &records, &curves, command, folder)?;
//! print!("{}", written.text);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod analysis;
mod curves;
mod definition;
mod field;
mod figures;
mod format;
mod id;
mod json;
mod leases;
mod merged;
mod metric;
mod plan;
pub mod record;
mod records;
pub mod report;
mod store;

pub use files::FileError;

pub use curves::{Curve, Curves};
pub use definition::{
    ACTIVATION, Contender, Criteria, DefinitionError, Expectation, Factor, LEARNING_RATE, Place,
    Problem, SEED, Seeds, Statement, Study, Tuning, toml_message,
};
pub use field::{Difference, FieldConflict, Fields};
pub use id::{ParseRunIdError, RunId, id_of};
pub use leases::{Lease, Leases};
pub use metric::{Metric, ParseMetricError, Value};
pub use plan::{
    ParseShardError, Plan, RateChoice, RateScore, RunSpec, Setting, Shard, Stage, Track,
};
pub use record::RunRecord;
pub use records::{Dataset, Records};
pub use report::{Report, ReportError};
pub use store::{Start, Store, StoreError};
