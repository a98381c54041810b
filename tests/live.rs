//! The live path.

mod support;

#[test]
fn placeholder() {
    let _ = (support::python::project(), axum::Router::<()>::new());
}
