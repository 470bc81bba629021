using System.Diagnostics;
using Tenon.Server.Web.Reading;

namespace Tenon.Server.Configuration;

/// <summary>The verb by which the server starts itself to read documents; nobody else has a use for it.</summary>
internal static class ReadDocuments
{
    public static async Task<int> Run()
    {
        using (var self = Process.GetCurrentProcess())
        {
            // The sessions that are served come before a document that takes long.
            self.PriorityClass = ProcessPriorityClass.BelowNormal;
        }

        await ReaderProgram.Serve(Console.OpenStandardInput(), Console.OpenStandardOutput(), CancellationToken.None);
        return 0;
    }
}
