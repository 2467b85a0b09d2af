//! Tests of studies from the outside: with files, folders, processes and made-up results.

#[path = "study/analysis.rs"]
mod analysis;
#[path = "study/definition.rs"]
mod definition;
#[path = "study/leases.rs"]
mod leases;
#[path = "study/made_up.rs"]
mod made_up;
#[path = "study/plan.rs"]
mod plan;
#[path = "study/report.rs"]
mod report;
#[path = "study/store.rs"]
mod store;
