using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Tenon.Server.Storage.Migrations
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
                type: "INTEGER",
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
