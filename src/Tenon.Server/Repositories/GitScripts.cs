using Tenon.Server.Sandboxes;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Repositories;

/// <summary>What is run in sandboxes, by bash. No token stands in any of it.</summary>
internal static class GitScripts
{
    /// <summary>Where the mirror is, in the sandbox that fetches.</summary>
    public const string Mirror = "/mirror";

    // The words by which a clone that failed is told.
    public const string NotEmpty = "tenon: not empty";
    public const string NoCheckout = "tenon: no checkout";

    /// <summary>A larger pack than this is not fetched: it would fill the disk that all sessions share.</summary>
    private const long PackKilobytesMax = 8L * 1024 * 1024;

    /// <summary>Brings the mirror up to date with the host, and makes it when it is empty.</summary>
    public static string Fetch(RepositoryUrl url, string? sha, bool hasToken) => $$"""
        (
        export LC_ALL=C GIT_TERMINAL_PROMPT=0 GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
        umask 022; ulimit -f {{PackKilobytesMax}}
        {{NeedsGit}}
        cd {{Mirror}} || exit 1
        find . -name '*.lock' -delete
        [ -e HEAD ] || git init -q --bare -b main . || exit 1
        git config gc.auto 0; git config uploadpack.allowAnySHA1InWant true
        host() { git -c credential.helper={{ShellText.Quote(hasToken ? Helper(MirrorAccess.TokenVariable) : "")}} \
          -c http.lowSpeedLimit=1000 -c http.lowSpeedTime=60 "$@"; }
        head=$(host ls-remote --symref {{url.Text}} HEAD) || exit 1
        host fetch -q --prune {{url.Text}} '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*' || exit 1
        ref=$(printf '%s\n' "$head" | sed -n 's|^ref: \(refs/heads/.*\)[[:space:]]HEAD$|\1|p')
        [ -z "$ref" ] || git symbolic-ref HEAD "$ref" || exit 1
        {{(sha is null ? "" : $$"""
        git cat-file -e {{sha}}^{commit} 2>/dev/null || host fetch -q {{url.Text}} {{sha}} \
          || { echo 'no such commit'; exit 1; }
        """)}}
        )
        """;

    /// <summary>Makes the working copy from the mirror, whole or not at all. The last line names what was checked out.
    /// </summary>
    /// <param name="mirror">Where the mirror is inside.</param>
    /// <param name="variable">With what stands for the token; null for none.</param>
    public static string Clone(RepositoryResource resource, string mirror, string? variable)
    {
        var work = $"/workspace/.{resource.Id}";
        return $$"""
            (
            export LC_ALL=C GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/tmp/.{{resource.Id}}
            path={{ShellText.Quote(resource.MountPath)}}
            {{NeedsGit}}
            if [ -e "$path" ] && ! rmdir "$path" 2>/dev/null; then echo '{{NotEmpty}}'; exit 1; fi
            rm -rf {{work}}; printf '[safe]\n\tdirectory = *\n' > "$GIT_CONFIG_GLOBAL"
            trap 'rm -rf "$GIT_CONFIG_GLOBAL" {{work}}' EXIT
            git clone -q --no-checkout --no-hardlinks {{mirror}} {{work}} || exit 1
            cd {{work}}
            git remote set-url origin {{resource.Url}} || exit 1
            git config user.name 'Tenon agent'; git config user.email agent@localhost
            {{(variable is null ? "" : $"git config credential.helper {ShellText.Quote(Helper(variable))}")}}
            {{Checkout(resource.Checkout, mirror)}} || { echo '{{NoCheckout}}'; exit 1; }
            cd /; mkdir -p "$(dirname "$path")" && mv -T {{work}} "$path" || exit 1
            echo "$(git -C "$path" rev-parse --short HEAD 2>/dev/null) $(git -C "$path" branch --show-current)"
            )
            """;
    }

    /// <summary>Succeeds when the working copy is there.</summary>
    public static string IsThere(RepositoryResource resource) =>
        $"test -e {ShellText.Quote(resource.MountPath + "/.git")}";

    private const string NeedsGit = """
        command -v git >/dev/null || { echo 'git is not in the base of sandboxes; an operator adds it'; exit 1; }
        """;

    // Git asks it only when the host wants a login; what it says is a placeholder.
    private static string Helper(string variable) =>
        $"!f() {{ test \"$1\" = get && echo username=x-access-token && echo \"password=${variable}\"; }}; f";

    // A repository without a commit has nothing to check out.
    private static string Checkout(RepositoryCheckout? checkout, string mirror) => checkout switch
    {
        { Name: { } branch } => $"git checkout -q {ShellText.Quote(branch)} --",
        { Sha: { } sha } => $$"""
            { git cat-file -e {{sha}}^{commit} 2>/dev/null || git fetch -q {{mirror}} {{sha}}; } \
              && git checkout -q --detach {{sha}}
            """,
        _ => "{ ! git rev-parse -q --verify HEAD >/dev/null || git checkout -q -f; }",
    };
}
