using Tenon.Server.Http;

namespace Tenon.Server.Sessions;

/// <summary>The one writer of a session, wherever in the cluster it lives. Its key is the session's id.</summary>
/// <remarks>Bodies cross as wire JSON, which has its own contract; refusals cross as data.</remarks>
[Alias("Tenon.ISessionGrain")]
public interface ISessionGrain : IGrainWithStringKey
{
    /// <summary>
    /// Accepts client events, all or none, and starts a turn when they call for one. Answers the echoed events.
    /// </summary>
    [Alias("Send")]
    Task<Answer> Send(string body);

    /// <summary>Changes title, metadata, tools or budget. Answers the session.</summary>
    [Alias("Update")]
    Task<Answer> Update(string body);

    /// <summary>Ends the session; its history stays readable. Answers the session.</summary>
    [Alias("Archive")]
    Task<Answer> Archive();

    /// <summary>Ends a thread beside the primary one; its history stays readable. Answers the thread.</summary>
    [Alias("ArchiveThread")]
    Task<Answer> ArchiveThread(string threadId);

    /// <summary>Stops what the session does, at once and for good; its history stays. Answers the session.</summary>
    [Alias("Kill")]
    Task<Answer> Kill();

    /// <summary>Ends the session and removes it with its sandbox.</summary>
    [Alias("Delete")]
    Task<Answer> Delete();

    /// <summary>Gives the session a file. Answers the resource.</summary>
    [Alias("AddResource")]
    Task<Answer> AddResource(string body);

    /// <summary>Replaces the token of a repository. Answers the resource.</summary>
    [Alias("UpdateResource")]
    Task<Answer> UpdateResource(string resourceId, string body);

    /// <summary>Takes a file from the session. Answers the deletion.</summary>
    [Alias("DeleteResource")]
    Task<Answer> DeleteResource(string resourceId);

    /// <summary>Completes when the files of a session that rests are kept as they are.</summary>
    [Alias("Settle")]
    Task Settle();

    /// <summary>Goes on with whatever the log says is unfinished. Safe to call at any time.</summary>
    [Alias("Wake")]
    Task Wake();
}

/// <summary>What the owner answers: wire JSON, or why not.</summary>
[GenerateSerializer]
[Alias("Tenon.Answer")]
public sealed record Answer(string Json, Refusal? Refused)
{
    /// <summary>The JSON.</summary>
    /// <exception cref="ApiException">The owner refused.</exception>
    public string OrThrow() => Refused is null ? Json : throw new ApiException(Refused);
}
