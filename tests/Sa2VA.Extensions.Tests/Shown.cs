using Microsoft.Extensions.AI;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Tests;

/// <summary>The bundled checkpoint and its pictures, as messages.</summary>
internal static class Shown
{
    private static readonly Lazy<Sa2VAModel> Shared = new(() => Load());

    /// <summary>One for all tests that do not look at its memory; never disposed.</summary>
    public static Sa2VAModel Model => Shared.Value;

    public static string Folder => Fixtures.Model("sa2va-tiny-shapes");

    public static Sa2VAModel Load(ModelOptions? options = null) => Sa2VAModel.Load(Folder, new CpuDevice(), options);

    public static RgbImage Image(string name) => ImageFile.Load(Fixtures.Path("media", name));

    public static ChatMessage User(string text, string? picture = null)
    {
        var message = new ChatMessage(ChatRole.User, text);
        if (picture is not null) message.Contents.Add(new DataContent(File.ReadAllBytes(Fixtures.Path("media", picture)), "image/png"));
        return message;
    }
}
