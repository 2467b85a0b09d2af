//! Methods of vectors that the processor has instructions for.

/// Methods that are an intrinsic each.
macro_rules! intrinsics {
    ($( fn $name:ident $(<const $n:ident: i32>)? ( $($arg:ident: $type:ty),* ) -> $out:ty = $body:expr; )*) => {$(
        #[inline(always)]
        fn $name $(<const $n: i32>)? (self, $($arg: $type),*) -> $out {
            // SAFETY: `self` proves that the processor has the instruction.
            unsafe { $body }
        }
    )*};
}

/// Loads and stores.
macro_rules! memory {
    ($( fn $name:ident ( $($arg:ident: $type:ty),* ) $(-> $out:ty)? = $body:expr; )*) => {$(
        #[inline(always)]
        unsafe fn $name(self, $($arg: $type),*) $(-> $out)? {
            // SAFETY: `self` proves that the processor has the instructions; the addresses are the
            // caller's promise, and lanes that are masked out are not accessed.
            unsafe { $body }
        }
    )*};
}
