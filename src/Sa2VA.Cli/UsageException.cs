using Sa2VA.Core;

namespace Sa2VA.Cli;

/// <summary>Arguments that do not go together, or an output folder that cannot be used.</summary>
internal sealed class UsageException(string message, Exception? inner = null) : Sa2VAException(message, inner);
