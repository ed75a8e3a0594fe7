using Microsoft.Extensions.AI;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Extensions;
using Sa2VA.Media;

namespace Sa2VA.Samples;

internal static class ChatAboutPicture
{
    /// <summary>Two questions about a picture through the interface that chat models have in common.</summary>
    public static async Task RunAsync(string modelFolder, string imageFile, string outFolder, CancellationToken cancellation)
    {
        using Sa2VAModel model = Sa2VAModel.Load(modelFolder, new CpuDevice(), cancellation: cancellation);
        using IChatClient client = model.AsIChatClient();
        var picture = new DataContent(await File.ReadAllBytesAsync(imageFile, cancellation), "image/png");
        List<ChatMessage> messages = [new(ChatRole.User, [picture, new TextContent("Please segment the red circle.")])];
        await AnswerAsync();
        messages.Add(new(ChatRole.User, "And the blue star, please."));
        await AnswerAsync();

        async Task AnswerAsync()
        {
            var options = new ChatOptions { MaxOutputTokens = 100 };
            var updates = new List<ChatResponseUpdate>();
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(messages, options, cancellation))
            {
                Console.Write(update.Text);
                updates.Add(update);
                foreach (MaskContent found in update.Contents.OfType<MaskContent>())
                    if (found.Mask is { } mask) MaskFile.Save(Path.Combine(outFolder, $"mask-{found.ObjectId}.png"), mask);
            }
            ChatResponse response = updates.ToChatResponse();
            Console.WriteLine($" ({response.Usage?.InputTokenCount} tokens read, {response.Usage?.CachedInputTokenCount} known before)");
            // The next question goes on from here, with all that was computed.
            messages.AddMessages(response);
        }
    }
}
