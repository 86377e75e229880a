//! What two dialects of one schema must agree on; for the tests of the stores.

use std::collections::BTreeSet;

use sqlx::migrate::Migrator;

use super::{Postgres, Sqlite};

/// A column: its table, its name, what it holds, and whether it may be NULL.
pub type Column = (String, String, &'static str, bool);

/// The columns of a file.
///
/// # Errors
/// When the database does not answer.
pub async fn of_sqlite(database: &Sqlite) -> Result<BTreeSet<Column>, sqlx::Error> {
    let rows: Vec<(String, String, String, bool)> = sqlx::query_as(
        "SELECT t.name, c.name, c.type, c.\"notnull\" = 0 AND c.pk = 0 FROM sqlite_master t, \
         pragma_table_info(t.name) c WHERE t.type = 'table' AND substr(t.name, 1, 7) NOT IN ('sqlite_', '_sqlx_m')",
    )
    .fetch_all(database.reader())
    .await?;
    Ok(rows.into_iter().map(|(table, column, kind, null)| (table, column, holds(&kind), null)).collect())
}

/// The columns of a server's database.
///
/// # Errors
/// When the database does not answer.
pub async fn of_postgres(database: &Postgres) -> Result<BTreeSet<Column>, sqlx::Error> {
    let rows: Vec<(String, String, String, bool)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'YES' \
         FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations'",
    )
    .fetch_all(database.reader())
    .await?;
    Ok(rows.into_iter().map(|(table, column, kind, null)| (table, column, holds(&kind), null)).collect())
}

/// A truth is a number in the one dialect and a type of its own in the other.
fn holds(kind: &str) -> &'static str {
    match kind.to_ascii_lowercase().as_str() {
        "integer" | "bigint" | "boolean" => "number",
        "blob" | "bytea" => "octets",
        "text" => "text",
        _ => "something else",
    }
}

/// Statements by which a later migration takes away what the version that still serves may use.
#[must_use]
pub fn that_take_away(migrator: &Migrator) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for migration in migrator.iter().skip(1) {
        for statement in migration.sql.as_str().split(';') {
            let code = statement.lines().filter(|line| !line.trim_start().starts_with("--"));
            let code = code.collect::<Vec<_>>().join(" ").to_ascii_uppercase();
            let takes = ["DROP ", "RENAME ", " TYPE ", "SET NOT NULL", "TRUNCATE ", "DELETE "];
            // A column that every row must have fails the inserts of a program that does not know it.
            let demands =
                code.contains("ADD COLUMN") && code.contains("NOT NULL") && !code.contains("DEFAULT");
            if demands || takes.iter().any(|word| code.contains(word)) {
                found.push((migration.description.to_string(), statement.trim().to_owned()));
            }
        }
    }
    found
}
