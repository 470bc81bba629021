using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Tenon.Server.Storage.Migrations.Postgres
{
    /// <inheritdoc />
    public partial class UnlistedFiles : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<bool>(
                name: "is_unlisted",
                table: "file",
                type: "boolean",
                nullable: false,
                defaultValue: false);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "is_unlisted",
                table: "file");
        }
    }
}
