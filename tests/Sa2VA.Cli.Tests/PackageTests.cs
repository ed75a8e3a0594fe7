using System.Diagnostics;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Xml.Linq;

namespace Sa2VA.Cli.Tests;

/// <summary>The packages, made as scripts/pack makes them, and used as their users do.</summary>
public sealed class PackageTests(PackageTests.Packages packages) : IClassFixture<PackageTests.Packages>
{
    [Fact]
    public void Every_package_says_what_it_is_and_brings_its_documentation()
    {
        string[] libraries =
            ["Sa2VA.Core", "Sa2VA.Models", "Sa2VA.Sessions", "Sa2VA.Cpu", "Sa2VA.Cuda", "Sa2VA.Media", "Sa2VA.Extensions"];
        foreach (string id in (string[])[.. libraries, "Sa2VA.Engine", "Sa2VA.Tool", $"Sa2VA.Tool.{Packages.Platform}"])
        {
            using ZipArchive package = packages.Open(id);
            string[] files = [.. package.Entries.Select(e => e.FullName)];
            using Stream nuspec = package.GetEntry($"{id}.nuspec")!.Open();
            XElement metadata = XDocument.Load(nuspec).Root!.Elements().Single();
            string Of(string name) => metadata.Elements().Single(e => e.Name.LocalName == name).Value;
            Assert.Equal(("MIT", "package.md", "icon.png"), (Of("license"), Of("readme"), Of("icon")));
            Assert.NotEqual("Package Description", Of("description"));
            Assert.Contains("package.md", files);
            Assert.Contains("icon.png", files);
            if (!libraries.Contains(id)) continue;
            string assembly = id == "Sa2VA.Sessions" ? "Sa2VA.Engine" : id;
            Assert.Contains($"lib/net10.0/{assembly}.dll", files);
            Assert.Contains($"lib/net10.0/{assembly}.xml", files);
            Assert.True(File.Exists(packages.File(id, "snupkg")), $"{id} has no symbols.");
        }
    }

    [Fact]
    public void The_tool_has_one_platforms_libraries_and_no_symbols_of_others()
    {
        string id = $"Sa2VA.Tool.{Packages.Platform}";
        using ZipArchive package = packages.Open(id);
        Assert.InRange(new FileInfo(packages.File(id, "nupkg")).Length, 1, 40_000_000);
        Assert.InRange(new FileInfo(packages.File("Sa2VA.Cuda", "nupkg")).Length, 1, 20_000_000);
        Assert.Single(package.Entries, e => e.Name.StartsWith("libSkiaSharp", StringComparison.Ordinal));
        Assert.DoesNotContain(package.Entries, e => e.Name.EndsWith(".pdb", StringComparison.Ordinal)
            && !e.Name.StartsWith("sa2va", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void The_packed_tool_installs_and_runs_the_demo_in_an_empty_folder()
    {
        using var folder = new ScratchFolder();
        packages.Run(folder.Path, "dotnet", "tool", "install", "--tool-path", folder.At("bin"), "--source", packages.Folder, "Sa2VA.Tool");
        Directory.CreateDirectory(folder.At("empty"));
        string output = packages.Run(folder.At("empty"), folder.At("bin", "sa2va"), "demo", "--out", "shown");
        Assert.Contains("masks", output, StringComparison.Ordinal);
        Assert.True(File.Exists(folder.At("empty", "shown", "video", "overlay.webp")));
        Assert.Equal(["shown"], Directory.EnumerateFileSystemEntries(folder.At("empty")).Select(Path.GetFileName));
    }

    [Fact]
    public void A_program_that_references_the_front_package_runs_the_readme_of_the_packages()
    {
        using var folder = new ScratchFolder();
        string program = File.ReadAllText(Path.Combine(Fixtures.Repository, "src", "package.md"))
            .Split("```csharp\n")[1].Split("```")[0].Replace("\"Sa2VA-1B\"", "args[0]", StringComparison.Ordinal)
            .Replace("\"cat.png\"", "args[1]", StringComparison.Ordinal).Replace("the cat", "the red circle", StringComparison.Ordinal);
        File.WriteAllText(folder.At("Program.cs"), program);
        File.WriteAllText(folder.At("program.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
                <InvariantGlobalization>true</InvariantGlobalization>
                <NuGetAudit>false</NuGetAudit>
              </PropertyGroup>
              <ItemGroup><PackageReference Include="Sa2VA.Engine" Version="{Packages.Version}" /></ItemGroup>
            </Project>
            """);
        packages.Run(folder.Path, "dotnet", "build", "-c", "Release", "-nologo", "-v", "quiet", "-nodeReuse:false", "-o", folder.At("out"),
            $"-p:RestoreAdditionalProjectSources={packages.Folder}", $"-p:RestoreFallbackFolders={Packages.UsualCache}");
        string output = packages.Run(folder.Path, "dotnet", folder.At("out", "program.dll"), CliRun.Toy, CliRun.Shapes);
        Assert.Equal("Sure, [SEG].", output.Trim());
        Assert.True(File.Exists(folder.At("mask-0.png")));
        // What the CPU backend needs of a program comes with the packages, however indirect.
        Assert.Contains("\"System.Runtime.TieredPGO\": false", File.ReadAllText(folder.At("out", "program.runtimeconfig.json")),
            StringComparison.Ordinal);
    }

    [Fact]
    public void The_native_program_runs_the_demo_and_verifies_without_dotnet()
    {
        Assert.SkipUnless(FullRun.IsAsked, "./test --full compiles the command ahead of time, which takes minutes");
        using var folder = new ScratchFolder();
        packages.Run(Fixtures.Repository, Path.Combine(Fixtures.Repository, "scripts", "publish-aot"), folder.At("aot"));
        Directory.CreateDirectory(folder.At("empty"));
        string[] bare = ["-i", folder.At("aot", "sa2va")];
        Assert.Contains("masks", packages.Run(folder.At("empty"), "env", [.. bare, "demo", "--out", "shown"]), StringComparison.Ordinal);
        Assert.Contains(" 0 failed", packages.Run(folder.At("empty"), "env",
            [.. bare, "verify", "--goldens", Path.Combine(Fixtures.Repository, "tests", "fixtures", "goldens")]), StringComparison.Ordinal);
    }

    /// <summary>The packages of this platform, made once for the class.</summary>
    public sealed class Packages : IDisposable
    {
        private readonly ScratchFolder _scratch = new();

        public Packages()
        {
            Assert.SkipWhen(OperatingSystem.IsWindows(), "scripts/pack is a shell script");
            // Machine code of the kernels takes minutes to make and 260 MB to fetch.
            Run(Fixtures.Repository, Path.Combine(Fixtures.Repository, "scripts", "pack"), "--no-assembler", Folder, Platform);
        }

        public static string Version => typeof(Program).Assembly.GetName().Version!.ToString(3);

        public static string Platform => RuntimeInformation.RuntimeIdentifier;

        /// <summary>What is here is not fetched again; what a test packs must not come in here.</summary>
        public static string UsualCache => Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

        public string Folder => _scratch.At("packages");

        public string File(string id, string kind) => Path.Combine(Folder, $"{id}.{Version}.{kind}");

        public ZipArchive Open(string id) => ZipFile.OpenRead(File(id, "nupkg"));

        /// <summary>Standard output of a program that ends with 0.</summary>
        public string Run(string folder, string program, params string[] args)
        {
            var start = new ProcessStartInfo(program, args)
            {
                WorkingDirectory = folder,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            if (folder != Fixtures.Repository) start.Environment["NUGET_PACKAGES"] = _scratch.At("cache");
            using Process process = Process.Start(start)!;
            Task<string> error = Task.Run(process.StandardError.ReadToEnd);
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}.\n{output}\n{error.Result}");
            return output;
        }

        public void Dispose() => _scratch.Dispose();
    }
}
