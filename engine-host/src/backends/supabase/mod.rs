//! Wallets and identity on Supabase: SQL functions over PostgREST, tokens by its public keys.
//!
//! The tables and functions are in `migrations/`, in the form that `supabase db push` takes. Both kinds of API keys are known:
//! the old ones are tokens and go into `Authorization` too; the new ones (`sb_secret_…`) are no tokens and go into `apikey` alone.

mod identity;
mod wallet;

pub use identity::{IdentityOptions, SupabaseIdentity};
pub use wallet::{ServerInfo, SupabaseWallet};

/// What makes the tables and functions, for whoever applies it by other means than Supabase's own.
pub const MIGRATIONS: [(&str, &str); 1] =
    [("20251221000000_wallets", include_str!("migrations/20251221000000_wallets.sql"))];
