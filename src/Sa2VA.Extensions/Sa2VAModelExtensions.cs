using Microsoft.Extensions.AI;
using Sa2VA.Engine;

namespace Sa2VA.Extensions;

/// <summary>What models are besides.</summary>
public static class Sa2VAModelExtensions
{
    /// <summary>A model as a chat client, with the defaults of <see cref="Sa2VAChatClient"/>. Dispose it before the model.</summary>
    public static IChatClient AsIChatClient(this Sa2VAModel model) => new Sa2VAChatClient(model);
}
