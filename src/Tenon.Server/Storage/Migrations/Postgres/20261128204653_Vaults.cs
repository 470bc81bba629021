using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Tenon.Server.Storage.Migrations.Postgres
{
    /// <inheritdoc />
    public partial class Vaults : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "vault",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    archived_at = table.Column<long>(type: "bigint", nullable: true),
                    body = table.Column<string>(type: "text", nullable: false, collation: "C")
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_vault", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "vault_credential",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    vault_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    key = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    archived_at = table.Column<long>(type: "bigint", nullable: true),
                    revision = table.Column<int>(type: "integer", nullable: false),
                    key_id = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    secret = table.Column<byte[]>(type: "bytea", nullable: true),
                    body = table.Column<string>(type: "text", nullable: false, collation: "C")
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_vault_credential", x => x.id);
                });

            migrationBuilder.CreateIndex(
                name: "IX_vault_credential_key_id",
                table: "vault_credential",
                column: "key_id");

            migrationBuilder.CreateIndex(
                name: "IX_vault_credential_vault_id_key",
                table: "vault_credential",
                columns: new[] { "vault_id", "key" },
                unique: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "vault");

            migrationBuilder.DropTable(
                name: "vault_credential");
        }
    }
}
