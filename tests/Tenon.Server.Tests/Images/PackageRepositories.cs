using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Tenon.Server.Images;

namespace Tenon.Server.Tests.Images;

/// <summary>
/// A small repository of each kind on loopback, with one package each that says hello. Their host is
/// <see cref="Host"/>, which only a test's resolver knows.
/// </summary>
internal sealed class PackageRepositories : IAsyncDisposable
{
    public const string Host = "packages.test";

    private readonly WebApplication _app;
    private readonly Dictionary<string, byte[]> _files = [];
    private int _requests;

    private readonly string _base;

    private PackageRepositories(WebApplication app, string @base) => (_app, _base) = (app, @base);

    public int Port => new Uri(_app.Urls.Single()).Port;

    /// <summary>How often anything was asked for.</summary>
    public int Requests => Volatile.Read(ref _requests);

    public PackageMirrors Mirrors => new()
    {
        Apt = $"deb [trusted=yes allow-insecure=yes] {Url("apt")} ./",
        Cargo = Url("cargo"),
        Gem = Url("gem"),
        Go = Url("go"),
        Npm = Url("npm"),
        Pip = Url("pip/simple"),
    };

    /// <param name="certificate">Of <paramref name="host"/>; null for plain HTTP.</param>
    public static async Task<PackageRepositories> Start(X509Certificate2? certificate = null, string host = Host)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                if (certificate is not null)
                {
                    listen.UseHttps(certificate);
                }
            }));
        var repositories = new PackageRepositories(
            builder.Build(), $"{(certificate is null ? "http" : "https")}://{host}");
        repositories._app.MapMethods("/{**path}", ["GET", "HEAD"], repositories.Answer);
        await repositories._app.StartAsync();
        repositories.AddApt();
        repositories.AddCargo();
        repositories.AddGo();
        repositories.AddNpm();
        repositories.AddPip();
        return repositories;
    }

    /// <summary>Serves a directory below a path.</summary>
    public void AddDirectory(string path, string directory)
    {
        foreach (var file in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories))
        {
            _files[$"{path}/{Path.GetRelativePath(directory, file)}"] = File.ReadAllBytes(file);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private Uri Url(string path) => new($"{_base}:{Port}/{path}/");

    private IResult Answer(string path)
    {
        Interlocked.Increment(ref _requests);
        return _files.TryGetValue(path, out var bytes)
            ? TypedResults.Bytes(bytes, path.EndsWith('/') ? "text/html" : "application/octet-stream")
            : TypedResults.NotFound();
    }

    // Debian: an ar archive of two tars, and a flat index.
    private void AddApt()
    {
        var control = "Package: hello-apt\nVersion: 1.0\nArchitecture: all\nMaintainer: Test <test@packages.test>\n"
            + "Description: says hello\n";
        var archive = Ar(("debian-binary", "2.0\n"u8.ToArray()), ("control.tar.gz", Tar(("./control", control, false))),
            ("data.tar.gz", Tar(("./usr/bin/hello-apt", "#!/bin/sh\necho hello from apt\n", true),
                ("./usr/share/hello-apt/words", "words\n", false))));
        _files["apt/hello-apt_1.0_all.deb"] = archive;
        _files["apt/./Packages"] = _files["apt/Packages"] = Encoding.UTF8.GetBytes(
            $"{control}Filename: ./hello-apt_1.0_all.deb\nSize: {archive.Length}\n"
            + $"SHA256: {Convert.ToHexStringLower(SHA256.HashData(archive))}\n");
        _files["apt/./hello-apt_1.0_all.deb"] = archive;
    }

    private void AddCargo()
    {
        var crate = Tar(
            ("hello-cargo-1.0.0/Cargo.toml",
                "[package]\nname = \"hello-cargo\"\nversion = \"1.0.0\"\nedition = \"2021\"\n", false),
            ("hello-cargo-1.0.0/src/main.rs", "fn main() { println!(\"hello from cargo\"); }\n", false));
        Put("cargo/config.json", $$"""{"dl":"{{Url("cargo/crates")}}{crate}-{version}.crate"}""");
        _files["cargo/crates/hello-cargo-1.0.0.crate"] = crate;
        Put("cargo/he/ll/hello-cargo",
            $$"""{"name":"hello-cargo","vers":"1.0.0","deps":[],"cksum":"{{
                Convert.ToHexStringLower(SHA256.HashData(crate))}}","features":{},"yanked":false}""" + "\n");
    }

    private void AddGo()
    {
        const string Module = "module packages.test/hello-go\n\ngo 1.18\n";
        const string Path = "go/packages.test/hello-go/@v/";
        Put(Path + "list", "v1.0.0\n");
        Put(Path + "v1.0.0.info", """{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}""");
        Put("go/packages.test/hello-go/@latest", """{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}""");
        Put(Path + "v1.0.0.mod", Module);
        _files[Path + "v1.0.0.zip"] = Zip(
            ("packages.test/hello-go@v1.0.0/go.mod", Module),
            ("packages.test/hello-go@v1.0.0/main.go", "package main\n\nfunc main() { println(\"hello from go\") }\n"));
    }

    private void AddNpm()
    {
        var archive = Tar(
            ("package/package.json",
                """{"name":"hello-npm","version":"1.0.0","main":"index.js","bin":{"hello-npm":"cli.js"}}""", false),
            ("package/index.js", "module.exports = 'hello from npm';\n", false),
            ("package/cli.js", "#!/usr/bin/env node\nconsole.log(require('./index.js'));\n", true));
        _files["npm/hello-npm/-/hello-npm-1.0.0.tgz"] = archive;
        var dist = $$"""{"tarball":"{{Url("npm/hello-npm/-")}}hello-npm-1.0.0.tgz","integrity":"sha512-{{
            Convert.ToBase64String(SHA512.HashData(archive))}}"}""";
        var version = """{"name":"hello-npm","version":"1.0.0","bin":{"hello-npm":"cli.js"},"dist":""" + dist + "}";
        Put("npm/hello-npm",
            """{"name":"hello-npm","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":""" + version + "}}");
    }

    private void AddPip()
    {
        const string Wheel = "hello_pip-1.0-py3-none-any.whl";
        _files["pip/files/" + Wheel] = Zip(
            ("hello_pip.py", "WORDS = 'hello from pip'\n\ndef main():\n    print(WORDS)\n"),
            ("hello_pip-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: hello-pip\nVersion: 1.0\n"),
            ("hello_pip-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
                + "Tag: py3-none-any\n"),
            ("hello_pip-1.0.dist-info/entry_points.txt", "[console_scripts]\nhello-pip = hello_pip:main\n"),
            ("hello_pip-1.0.dist-info/RECORD", ""));
        Put("pip/simple/hello-pip/", $"<a href=\"{Url("pip/files")}{Wheel}\">{Wheel}</a>");
    }

    private void Put(string path, string text) => _files[path] = Encoding.UTF8.GetBytes(text);

    private static byte[] Tar(params (string Name, string Text, bool IsProgram)[] files)
    {
        using var bytes = new MemoryStream();
        using (var zipped = new GZipStream(bytes, CompressionLevel.Fastest))
        using (var tar = new TarWriter(zipped, TarEntryFormat.Ustar))
        {
            foreach (var (name, text, isProgram) in files)
            {
                tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name)
                {
                    DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)),
                    Mode = (UnixFileMode)(isProgram ? 0b111_101_101 : 0b110_100_100),
                });
            }
        }

        return bytes.ToArray();
    }

    private static byte[] Zip(params (string Name, string Text)[] files)
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create))
        {
            foreach (var (name, text) in files)
            {
                using var entry = zip.CreateEntry(name).Open();
                entry.Write(Encoding.UTF8.GetBytes(text));
            }
        }

        return bytes.ToArray();
    }

    private static byte[] Ar(params (string Name, byte[] Bytes)[] files)
    {
        using var archive = new MemoryStream();
        archive.Write("!<arch>\n"u8);
        foreach (var (name, bytes) in files)
        {
            archive.Write(Encoding.ASCII.GetBytes(
                $"{name,-16}{0,-12}{0,-6}{0,-6}{"100644",-8}{bytes.Length,-10}`\n"));
            archive.Write(bytes);
            if (bytes.Length % 2 == 1)
            {
                archive.WriteByte((byte)'\n');
            }
        }

        return archive.ToArray();
    }
}
