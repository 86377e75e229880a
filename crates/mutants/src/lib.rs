//! A named switch beside every check.
//!
//! A check that no test would miss is no check. Each check that a refusal or a binding names is written as
//! `if !(mutants::skips("kb-nonce") || nonce == expected) { return Err(…) }`; a test switches one name off,
//! runs the attack and sees it succeed, which shows that the test notices when that check alone is gone.
//!
//! Without the feature `on`, [`skips`] is the constant `false`. With it, a release build does not compile.

#[cfg(all(feature = "on", not(debug_assertions)))]
compile_error!("the feature `on` removes checks at run time and must never be part of a release build");

#[cfg(feature = "on")]
mod switch {
    use std::sync::RwLock;

    static OFF: RwLock<Option<String>> = RwLock::new(None);

    pub(super) fn is_off(name: &str) -> bool {
        OFF.read().is_ok_and(|off| off.as_deref() == Some(name))
    }

    pub(super) fn set(name: Option<&str>) {
        if let Ok(mut off) = OFF.write() {
            *off = name.map(str::to_owned);
        }
    }
}

/// Whether the check called `name` is switched off; always `false` without the feature `on`.
#[inline(always)]
#[must_use]
pub fn skips(name: &'static str) -> bool {
    #[cfg(feature = "on")]
    return switch::is_off(name);
    #[cfg(not(feature = "on"))]
    {
        let _ = name;
        false
    }
}

/// Runs `test` with the check called `name` switched off in the whole process, then switches it on again.
///
/// One at a time: the test runner gives every test a process of its own.
#[cfg(feature = "on")]
pub fn without<T>(name: &str, test: impl FnOnce() -> T) -> T {
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            switch::set(None);
        }
    }
    switch::set(Some(name));
    let _restore = Restore;
    test()
}

/// As [`without`], for an asynchronous test.
#[cfg(feature = "on")]
pub async fn without_async<T>(name: &str, test: impl Future<Output = T>) -> T {
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            switch::set(None);
        }
    }
    switch::set(Some(name));
    let _restore = Restore;
    test.await
}
