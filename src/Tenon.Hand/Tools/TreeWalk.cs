namespace Tenon.Hand.Tools;

/// <summary>
/// Walks a tree within limits. Links are not followed, so a walk cannot leave its root, and what version control and
/// package managers keep is passed over.
/// </summary>
internal static class TreeWalk
{
    private static readonly EnumerationOptions Options = new()
    {
        IgnoreInaccessible = true,
        AttributesToSkip = FileAttributes.None,
        ReturnSpecialDirectories = false,
    };

    public static IEnumerable<FileInfo> Files(string root, CancellationToken cancellationToken)
    {
        var left = ToolLimits.WalkEntries;
        var pending = new Stack<(DirectoryInfo Directory, int Depth)>([(new DirectoryInfo(root), 0)]);
        while (pending.TryPop(out var next))
        {
            foreach (var entry in Entries(next.Directory))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (left-- == 0)
                {
                    yield break;
                }

                if (entry.LinkTarget is not null)
                {
                    continue;
                }

                if (entry is FileInfo file)
                {
                    yield return file;
                }
                else if (entry is DirectoryInfo directory && next.Depth < ToolLimits.WalkDepth
                    && directory.Name is not ".git" and not "node_modules")
                {
                    pending.Push((directory, next.Depth + 1));
                }
            }
        }
    }

    private static IEnumerable<FileSystemInfo> Entries(DirectoryInfo directory)
    {
        try
        {
            return directory.EnumerateFileSystemInfos("*", Options);
        }
        catch (IOException)
        {
            // It went away under the walk.
            return [];
        }
    }
}
