using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Tenon.Server.Storage.Migrations
{
    /// <inheritdoc />
    public partial class Egress : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "egress_request",
                columns: table => new
                {
                    id = table.Column<string>(type: "TEXT", nullable: false),
                    session_id = table.Column<string>(type: "TEXT", nullable: false),
                    body = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_egress_request", x => x.id);
                });

            migrationBuilder.CreateIndex(
                name: "IX_egress_request_session_id_id",
                table: "egress_request",
                columns: new[] { "session_id", "id" });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "egress_request");
        }
    }
}
