using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Tenon.Server.Storage.Migrations
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
                    id = table.Column<string>(type: "TEXT", nullable: false),
                    store_id = table.Column<string>(type: "TEXT", nullable: false),
                    path = table.Column<string>(type: "TEXT", nullable: false),
                    version_id = table.Column<string>(type: "TEXT", nullable: false),
                    size = table.Column<long>(type: "INTEGER", nullable: false),
                    sha256 = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<long>(type: "INTEGER", nullable: false),
                    updated_at = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_memory", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "memory_store",
                columns: table => new
                {
                    id = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<long>(type: "INTEGER", nullable: false),
                    archived_at = table.Column<long>(type: "INTEGER", nullable: true),
                    revision = table.Column<long>(type: "INTEGER", nullable: false),
                    body = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_memory_store", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "memory_version",
                columns: table => new
                {
                    id = table.Column<string>(type: "TEXT", nullable: false),
                    store_id = table.Column<string>(type: "TEXT", nullable: false),
                    memory_id = table.Column<string>(type: "TEXT", nullable: false),
                    operation = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<long>(type: "INTEGER", nullable: false),
                    actor_type = table.Column<string>(type: "TEXT", nullable: false),
                    actor_id = table.Column<string>(type: "TEXT", nullable: false),
                    redacted_at = table.Column<long>(type: "INTEGER", nullable: true),
                    redacted_type = table.Column<string>(type: "TEXT", nullable: true),
                    redacted_id = table.Column<string>(type: "TEXT", nullable: true),
                    size = table.Column<long>(type: "INTEGER", nullable: true),
                    sha256 = table.Column<string>(type: "TEXT", nullable: true),
                    path = table.Column<string>(type: "TEXT", nullable: true),
                    content = table.Column<byte[]>(type: "BLOB", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_memory_version", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "session_memory",
                columns: table => new
                {
                    session_id = table.Column<string>(type: "TEXT", nullable: false),
                    store_id = table.Column<string>(type: "TEXT", nullable: false)
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
