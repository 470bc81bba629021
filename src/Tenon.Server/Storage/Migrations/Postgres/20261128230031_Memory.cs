using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Tenon.Server.Storage.Migrations.Postgres
{
    /// <inheritdoc />
    public partial class Memory : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "memory",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    store_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    path = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    version_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    size = table.Column<long>(type: "bigint", nullable: false),
                    sha256 = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    created_at = table.Column<long>(type: "bigint", nullable: false),
                    updated_at = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_memory", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "memory_store",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    created_at = table.Column<long>(type: "bigint", nullable: false),
                    archived_at = table.Column<long>(type: "bigint", nullable: true),
                    revision = table.Column<long>(type: "bigint", nullable: false),
                    body = table.Column<string>(type: "text", nullable: false, collation: "C")
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_memory_store", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "memory_version",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    store_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    memory_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    operation = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    created_at = table.Column<long>(type: "bigint", nullable: false),
                    actor_type = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    actor_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    redacted_at = table.Column<long>(type: "bigint", nullable: true),
                    redacted_type = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    redacted_id = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    size = table.Column<long>(type: "bigint", nullable: true),
                    sha256 = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    path = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    content = table.Column<byte[]>(type: "bytea", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_memory_version", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "session_memory",
                columns: table => new
                {
                    session_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    store_id = table.Column<string>(type: "text", nullable: false, collation: "C")
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_session_memory", x => new { x.session_id, x.store_id });
                });

            migrationBuilder.CreateIndex(
                name: "IX_memory_store_id_path",
                table: "memory",
                columns: new[] { "store_id", "path" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_memory_version_memory_id_id_created_at",
                table: "memory_version",
                columns: new[] { "memory_id", "id", "created_at" });

            migrationBuilder.CreateIndex(
                name: "IX_memory_version_store_id_id",
                table: "memory_version",
                columns: new[] { "store_id", "id" });

            migrationBuilder.CreateIndex(
                name: "IX_session_memory_store_id",
                table: "session_memory",
                column: "store_id");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "memory");

            migrationBuilder.DropTable(
                name: "memory_store");

            migrationBuilder.DropTable(
                name: "memory_version");

            migrationBuilder.DropTable(
                name: "session_memory");
        }
    }
}
