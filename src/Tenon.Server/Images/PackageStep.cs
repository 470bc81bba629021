using Tenon.Wire.Environments;

namespace Tenon.Server.Images;

/// <summary>
/// How each package manager installs below <see cref="Root"/>, as an ordinary user of a sandbox. In the documented
/// order: apt, cargo, gem, go, npm, pip.
/// </summary>
internal sealed record PackageStep(string Manager, IReadOnlyList<string> Packages, string Command)
{
    /// <summary>Where packages are, in the sandbox that installs them and in those that use them.</summary>
    public const string Root = "/opt/packages";

    /// <summary>The configuration of apt, which must not be the host's own.</summary>
    public const string AptInside = "/run/tenon/apt";

    private const string Work = Root + "/.work";

    /// <summary>Those that have something to install.</summary>
    public static IReadOnlyList<PackageStep> Of(Packages packages, PackageMirrors mirrors) =>
        [.. ((PackageStep[])
        [
            new("apt", packages.Apt ?? [], Apt(Words(packages.Apt))),
            new("cargo", packages.Cargo ?? [], Cargo(Words(packages.Cargo), mirrors.Cargo)),
            new("gem", packages.Gem ?? [], Gem(Words(packages.Gem), mirrors.Gem)),
            new("go", packages.Go ?? [], Go(Words(packages.Go))),
            new("npm", packages.Npm ?? [], Npm(Words(packages.Npm))),
            new("pip", packages.Pip ?? [], Pip(Words(packages.Pip))),
        ]).Where(step => step.Packages.Count > 0)];

    /// <summary>The last step: nothing is left of the work, and others may read what there is.</summary>
    public static string Finish => $"chmod -R u+rwX {Work} 2>/dev/null; rm -rf {Work}; chmod -R a+rX,go-w {Root}";

    // Debian's archives still have some files in /lib and /bin, which are links into /usr here.
    private static string Apt(string packages) => $$"""
        {{Needs("apt-get", "apt")}}
        export APT_CONFIG={{AptInside}}/apt.conf
        mkdir -p {{Work}}/apt/lists/partial {{Work}}/apt/archives/partial {{Root}}/apt/usr
        apt-get update -q
        apt-get install -q -y --no-install-recommends --download-only -- {{packages}}
        for archive in {{Work}}/apt/archives/*.deb; do
          if test -e "$archive"; then dpkg-deb --extract "$archive" {{Root}}/apt; fi
        done
        for name in bin sbin lib lib32 lib64 libx32; do
          if test -d {{Root}}/apt/$name; then
            mkdir -p {{Root}}/apt/usr/$name
            cp -a {{Root}}/apt/$name/. {{Root}}/apt/usr/$name/
            rm -rf {{Root}}/apt/$name
          fi
        done
        """;

    private static string Cargo(string packages, Uri? mirror) => $$"""
        {{Needs("cargo", "cargo")}}
        export CARGO_HOME={{Work}}/cargo
        cargo install --root {{Root}}/cargo {{(mirror is null ? "" : CargoSource(mirror))}} -- {{packages}}
        """;

    private static string CargoSource(Uri mirror) => "--config 'source.crates-io.replace-with=\"mirror\"' "
        + $"--config 'source.mirror.registry=\"sparse+{mirror.AbsoluteUri}\"'";

    private static string Gem(string packages, Uri? mirror) => $$"""
        {{Needs("gem", "ruby")}}
        gem install --no-document --install-dir {{Root}}/gem --bindir {{Root}}/gem/bin {{
            (mirror is null ? "" : $"--clear-sources --source {mirror.AbsoluteUri}")}} {{packages}}
        """;

    private static string Go(string packages) => $$"""
        {{Needs("go", "golang-go")}}
        export GOPATH={{Work}}/go GOCACHE={{Work}}/go-cache GOBIN={{Root}}/go/bin GOFLAGS=-modcacherw GOTOOLCHAIN=local
        for package in {{packages}}; do
          case $package in *@*) go install "$package" ;; *) go install "$package@latest" ;; esac
        done
        """;

    private static string Npm(string packages) => $$"""
        {{Needs("npm", "npm")}}
        npm install --global --prefix {{Root}}/npm --cache {{Work}}/npm --no-audit --no-fund --no-update-notifier \
          -- {{packages}}
        """;

    private static string Pip(string packages) => $$"""
        {{Needs("python3", "python3-pip")}}
        python3 -m pip install --target {{Root}}/pip --no-cache-dir --no-input --disable-pip-version-check \
          -- {{packages}}
        """;

    private static string Needs(string program, string package) => $$"""
        set -e
        if ! command -v {{program}} >/dev/null; then
          echo "{{program}} is not in the base of sandboxes; an operator adds the package {{package}} to it"
          exit 127
        fi
        """;

    private static string Words(IReadOnlyList<string>? packages) => string.Join(
        ' ', (packages ?? []).Select(name => $"'{name.Replace("'", "'\\''", StringComparison.Ordinal)}'"));
}
