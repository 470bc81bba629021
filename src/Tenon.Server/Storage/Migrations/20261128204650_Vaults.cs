using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Tenon.Server.Storage.Migrations
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
                    id = table.Column<string>(type: "TEXT", nullable: false),
                    archived_at = table.Column<long>(type: "INTEGER", nullable: true),
                    body = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_vault", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "vault_credential",
                columns: table => new
                {
                    id = table.Column<string>(type: "TEXT", nullable: false),
                    vault_id = table.Column<string>(type: "TEXT", nullable: false),
                    key = table.Column<string>(type: "TEXT", nullable: true),
                    archived_at = table.Column<long>(type: "INTEGER", nullable: true),
                    revision = table.Column<int>(type: "INTEGER", nullable: false),
                    key_id = table.Column<string>(type: "TEXT", nullable: true),
                    secret = table.Column<byte[]>(type: "BLOB", nullable: true),
                    body = table.Column<string>(type: "TEXT", nullable: false)
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
